"""What an answer of the Google Wallet API asks for: one table of `errors[].reason` to what we do. Pure.

The text of an error decides nothing: a permission that is missing may speak of a quota, and the other way round. A
reason that is not in the table is judged by its status, since the API's page on errors names few of them.
"""

from collections.abc import Iterable
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from flatfile_sync.wallets.google.calls import NO_ANSWER, NOT_SENT, STOPPED, Answer


class Action(StrEnum):
    """What we do about an answer."""

    DONE = "done"
    MISSING = "missing"  # no such object (or class, where a class was asked for): insert it
    CLASS_MISSING = "class_missing"  # an object of a class that is not there: the class first
    EXISTS = "exists"  # it is there already: patch it
    QUIET = "quiet"  # no more notices for this pass within 24 hours: the message goes without one
    RENEW = "renew"  # the access token is none any more: mint one, send once more
    LATER = "later"  # too fast, or trouble on their side
    UNKNOWN = "unknown"  # no answer: look before it is sent again
    HALT = "halt"  # the account may not do this: nothing more goes out
    REFUSED = "refused"  # this content can never be taken


def _rows(action: Action, reasons: str) -> Iterable[tuple[str, Action]]:
    return ((reason, action) for reason in reasons.split())


BY_REASON: Final[dict[str, Action]] = dict(
    (
        *_rows(Action.QUIET, "quotaExceeded"),
        *_rows(Action.HALT, "permissionDenied insufficientPermissions forbidden accessNotConfigured"),
        *_rows(Action.HALT, STOPPED),
        *_rows(Action.LATER, "rateLimitExceeded userRateLimitExceeded backendError internalError"),
        *_rows(Action.LATER, NOT_SENT),
        *_rows(Action.UNKNOWN, NO_ANSWER),
        *_rows(Action.MISSING, "resourceNotFound notFound"),
        *_rows(Action.CLASS_MISSING, "classNotFound IssuerClassNotFound"),
        *_rows(Action.EXISTS, "existingResource AlreadyExists"),
        *_rows(Action.REFUSED, "invalidResource badRequest invalid"),
    )
)

_BY_STATUS: Final[dict[int, Action]] = {
    HTTPStatus.FORBIDDEN: Action.HALT,
    HTTPStatus.NOT_FOUND: Action.MISSING,
    HTTPStatus.CONFLICT: Action.EXISTS,
    HTTPStatus.TOO_MANY_REQUESTS: Action.LATER,
    HTTPStatus.REQUEST_TIMEOUT: Action.LATER,
}


def action(answer: Answer) -> Action:
    """Return what to do about an answer."""
    if answer.status == HTTPStatus.OK:
        return Action.DONE
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return Action.RENEW
    # Their status outweighs a reason that does not belong to it.
    if answer.status is not None and answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Action.LATER
    if answer.status is None:
        # What else keeps a call back is a word of the token endpoint about the account.
        return BY_REASON.get(answer.reason, Action.HALT)
    return BY_REASON.get(answer.reason) or _BY_STATUS.get(answer.status, Action.REFUSED)

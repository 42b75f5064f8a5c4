"""What an answer of APNs asks for: one table of status and reason to what we do. Pure.

Apple: Handling notification responses from APNs. A reason that is not in the table is judged by its status.
"""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Final, NamedTuple


class Action(StrEnum):
    """What we do about an answer."""

    ACCEPTED = "accepted"  # APNs took it; that a device gets it is not said
    DROP = "drop"  # no device answers to this token (for this topic): forget its registrations, never push it again
    DELAY = "delay"  # leave this token alone for a while
    LATER = "later"  # trouble on their side: again after a quarter of an hour, with growing waits
    RENEW = "renew"  # the provider token is too old: mint one, send once more
    STOP_MINTING = "stop_minting"  # too many provider tokens: wait until another may be minted
    RECONNECT = "reconnect"  # the connection was idle: open another and send again
    STOP_TOPIC = "stop_topic"  # what we send is wrong for this topic: nothing more goes out on it
    STOP_CREDENTIAL = "stop_credential"  # certificate or key is refused: nothing more goes out with it
    BUG = "bug"  # this push can never be taken: it has failed, and the topic stops


class Verdict(NamedTuple):
    """What to do, and for the actions that send again, after how long at the earliest."""

    action: Action
    retry_after: timedelta | None = None


QUARTER: Final = timedelta(minutes=15)
_LONGEST: Final = timedelta(hours=4)
_TOKEN_DELAY: Final = timedelta(minutes=1)
MINTING: Final = timedelta(minutes=20)
"""Apple: refresh your token no more than once every 20 minutes."""

NEVER_AGAIN: Final = frozenset(
    {"BadDeviceToken", "DeviceTokenNotForTopic", "Forbidden", "ExpiredToken", "Unregistered", "PayloadTooLarge"}
)
"""Apple: don't retry notification responses with these error strings."""


def _rows(action: Action, reasons: str) -> Iterable[tuple[str, Action]]:
    return ((reason, action) for reason in reasons.split())


BY_REASON: Final[dict[str, Action]] = dict(
    (
        *_rows(Action.DROP, "BadDeviceToken DeviceTokenNotForTopic Unregistered ExpiredToken"),
        *_rows(Action.STOP_TOPIC, "BadCollapseId BadExpirationDate BadMessageId BadPriority BadTopic DuplicateHeaders"),
        *_rows(Action.STOP_TOPIC, "InvalidPushType MissingDeviceToken MissingTopic PayloadEmpty TopicDisallowed"),
        *_rows(Action.RECONNECT, "IdleTimeout"),
        *_rows(Action.STOP_CREDENTIAL, "BadCertificate BadCertificateEnvironment Forbidden InvalidProviderToken"),
        *_rows(Action.STOP_CREDENTIAL, "MissingProviderToken UnrelatedKeyIdInToken BadEnvironmentKeyIdInToken"),
        *_rows(Action.RENEW, "ExpiredProviderToken"),
        *_rows(Action.BUG, "BadPath MethodNotAllowed PayloadTooLarge"),
        *_rows(Action.DELAY, "TooManyRequests"),
        *_rows(Action.STOP_MINTING, "TooManyProviderTokenUpdates"),
        *_rows(Action.LATER, "InternalServerError ServiceUnavailable Shutdown"),
    )
)

_BY_STATUS: Final[dict[int, Action]] = {
    HTTPStatus.BAD_REQUEST: Action.STOP_TOPIC,
    HTTPStatus.FORBIDDEN: Action.STOP_CREDENTIAL,
    HTTPStatus.GONE: Action.DROP,
    HTTPStatus.TOO_MANY_REQUESTS: Action.DELAY,
}


def verdict(status: int, reason: str = "", *, attempts: int = 1) -> Verdict:
    """Return what to do about an answer to the given number of attempts (at least 1)."""
    if status == HTTPStatus.OK:
        return Verdict(Action.ACCEPTED)
    # Their status outweighs a reason that does not belong to it, but for those that forbid to try again.
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and reason not in NEVER_AGAIN:
        action = Action.LATER
    else:
        action = BY_REASON.get(reason) or _BY_STATUS.get(status, Action.BUG)
    return Verdict(action, _wait(action, attempts))


def _wait(action: Action, attempts: int) -> timedelta | None:
    grown = 2 ** min(max(attempts - 1, 0), 10)
    return {
        Action.DELAY: min(_TOKEN_DELAY * grown, _LONGEST),
        Action.LATER: min(QUARTER * grown, _LONGEST),
        Action.STOP_MINTING: MINTING,
        Action.RENEW: timedelta(0),
        Action.RECONNECT: timedelta(0),
    }.get(action)

"""Something wrong with a file, a record or a value, as data.

`IssueCode` entries live in `catalogue.py`; an `Issue` refers to one by its code and carries what the message needs.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error` = the record (or file) is not applied; `warning` = applied, a value was dropped or repaired."""

    ERROR = "error"
    WARNING = "warning"


class Owner(StrEnum):
    """Who can mend it."""

    SENDER = "sender"
    OPERATOR = "operator"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCode:
    """One entry of the catalogue; `message` and `hint` are `str.format` templates over the issue's details."""

    code: str
    title: str
    message: str
    hint: str
    owner: Owner = Owner.SENDER
    severity: Severity = Severity.ERROR
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One problem.

    `record` is the record's number (first data record = 1) or None for the whole file; `line` is the physical line of
    an issue without a record, if it has one. `column` is the header's text as the sender wrote it. `value` is what was
    found, already masked if the field is `pii`, at most `VALUE_LIMIT` characters. `message` and `hint` are complete
    sentences.
    """

    code: str
    severity: Severity
    record: int | None = None
    line: int | None = None
    column: str | None = None
    value: str | None = None
    message: str = ""
    hint: str = ""


VALUE_LIMIT = 120
MASK = "•••"


def shorten(value: str) -> str:
    """Return the value as it may stand in a message: at most `VALUE_LIMIT` characters."""
    return value if len(value) <= VALUE_LIMIT else value[: VALUE_LIMIT - 1] + "…"

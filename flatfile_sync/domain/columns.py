"""What a header's column means.

The file contract, section 2: `id`, `id.<name>` (only the first `id.` is the prefix), `set.id.<name>`, `passType`,
`additionalData.<key>`, `metadata.<key>`, `notification.*`, `consent.*`, `status`, `expires_at`, `op`, `_ignored`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a column does."""

    PASS_ID = "id"
    IDENTIFIER = "identifier"
    SET_IDENTIFIER = "set_identifier"
    PASS_TYPE = "pass_type"
    DATA = "data"
    MESSAGE = "message"
    NOTIFICATION = "notification"
    CONSENT = "consent"
    STATUS = "status"
    EXPIRES_AT = "expires_at"
    OPERATION = "operation"
    IGNORED = "ignored"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a header: its text, its role, and what follows the prefix (an identifier's name, a language)."""

    name: str
    role: Role
    part: str = ""


NOTIFICATION_PARTS = ("purpose", "not_before", "expires_at")
CONSENT_PARTS = ("at", "source", "proof", "wording")
_PLAIN = {
    "id": Role.PASS_ID,
    "passType": Role.PASS_TYPE,
    "status": Role.STATUS,
    "expires_at": Role.EXPIRES_AT,
    "op": Role.OPERATION,
    "notification.message": Role.MESSAGE,
}
_PREFIXES = (
    ("id.", Role.IDENTIFIER),
    ("set.id.", Role.SET_IDENTIFIER),
    ("notification.message.", Role.MESSAGE),
    ("consent.", Role.CONSENT),
)
_DATA_PREFIXES = ("additionalData.", "metadata.")


def column(name: str) -> Column:
    """Return what a column name means; the name is already trimmed."""
    if name in _PLAIN:
        return Column(name, _PLAIN[name])
    if name.startswith("_"):
        return Column(name, Role.IGNORED)
    for prefix, role in _PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return Column(name, role, name[len(prefix) :])
    if name.startswith(_DATA_PREFIXES) and not name.endswith("."):
        return Column(name, Role.DATA, name)
    part = name.removeprefix("notification.")
    if part != name and part in NOTIFICATION_PARTS:
        return Column(name, Role.NOTIFICATION, part)
    return Column(name, Role.UNKNOWN)

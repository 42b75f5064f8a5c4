"""Every state and every word of an answer, each as one enum.

Upload (the SFTP door)::

    writing --CLOSE--> closed --claimed--> drop | part | marker | ignored
       |                  `--overwritten/removed before claim--> replaced | cancelled
       `--session lost, failed or short write--> abandoned

Drop (the line), forward only, each move a conditional update::

    RECEIVED -> CLAIMED -> PLANNED -> [HELD] -> APPLIED -> REPORTED -> SETTLED
"""

from enum import IntEnum, StrEnum


class UploadState(StrEnum):
    """Where an upload stands; leaves `closed` with exactly one verdict."""

    WRITING = "writing"
    CLOSED = "closed"
    DONE = "done"


class UploadVerdict(StrEnum):
    """What became of an upload."""

    DROP = "drop"
    PART = "part"
    MARKER = "marker"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    IGNORED = "ignored"
    ABANDONED = "abandoned"


class DropState(StrEnum):
    """How far a drop has come on the line."""

    RECEIVED = "RECEIVED"  # bytes durable, the close was answered; leaves when settled and its turn in the feed
    CLAIMED = "CLAIMED"  # project version pinned; leaves when every record is read, validated and resolved
    PLANNED = "PLANNED"  # patches stored, guards passed; leaves when every chunk is committed
    HELD = "HELD"  # a guard asks an operator; leaves to PLANNED by release or cancel
    APPLIED = "APPLIED"  # the feed's turn is over; leaves when the result set is published
    REPORTED = "REPORTED"  # summary in the outbox; leaves when all deliveries settled or the horizon passed
    SETTLED = "SETTLED"  # the delivery report is in the outbox; the end


class DropVerdict(StrEnum):
    """What was decided about a drop, beside how far it has come."""

    APPLIED = "applied"
    PARTIAL = "partial"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"
    DRY_RUN = "dry_run"


class Decision(StrEnum):
    """The word of an acknowledgement (`.ack.json`)."""

    QUEUED = "queued"
    WAITING = "waiting"
    DUPLICATE = "duplicate"
    HELD = "held"
    REJECTED = "rejected"
    IGNORED = "ignored"
    ABANDONED = "abandoned"


class RecordStatus(StrEnum):
    """The one verdict of a record (`_status` of `result.csv`)."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    UNPROCESSED = "unprocessed"
    VALID = "valid"


class Operation(StrEnum):
    """What a record asks for."""

    UPDATE = "update"
    UPSERT = "upsert"
    CREATE = "create"
    VOID = "void"
    NOTIFY = "notify"


class PassStatus(StrEnum):
    """The life of a pass."""

    ACTIVE = "active"
    VOIDED = "voided"
    EXPIRED = "expired"


ERASED = "erased"
"""Stands in place of a status where a holder was erased: nothing of them is left in the row. No file can give it."""


def shown_status(stored: str) -> PassStatus:
    """Return the status that a wallet shows of a stored one."""
    return PassStatus.VOIDED if stored == ERASED else PassStatus(stored)


class Platform(StrEnum):
    """A wallet."""

    APPLE = "apple"
    GOOGLE = "google"


class Lane(IntEnum):
    """The order of service within a platform's pace; smaller goes first."""

    TRANSACTIONAL = 0
    OPERATIONAL = 1
    MARKETING = 2
    BULK = 3


class DeliveryKind(StrEnum):
    """What is owed: the pass's content at a revision, or one message."""

    CONTENT = "content"
    MESSAGE = "message"


class DeliveryState(StrEnum):
    """Where a delivery stands.

    due -> sending -> accepted -> settled; a failure goes back to due; halted waits for an operator.
    """

    DUE = "due"  # owed; leaves when a worker takes it
    SENDING = "sending"  # on the wire; a restart finds it here, asks `unknown` and sends again with the same id
    ACCEPTED = "accepted"  # the platform took it; a later outcome (a device fetched) settles it
    HALTED = "halted"  # the credential's circuit is open; leaves when it closes
    SETTLED = "settled"  # has an outcome, for good


class Outcome(StrEnum):
    """How a delivery ended, or stands in the report at the horizon."""

    SENT = "sent"
    FETCHED = "fetched"
    NOT_INSTALLED = "not_installed"
    UNREGISTERED = "unregistered"
    OVERTAKEN = "overtaken"
    QUOTA_DOWNGRADED = "quota_downgraded"
    NO_CONSENT = "no_consent"
    BUDGET = "budget"  # the pass has had as many messages as the feed's cap allows
    EXPIRED = "expired"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    WAITING = "waiting"
    HALTED = "halted"


class Owed(StrEnum):
    """Words of `_apple` and `_google` in `result.csv`: what a record's change owes on a platform."""

    QUEUED = "queued"
    NOT_INSTALLED = "not_installed"
    NOT_SHOWN = "not_shown"
    NONE = "none"


class Notice(StrEnum):
    """Words of `_notification` in `result.csv`."""

    QUEUED = "queued"
    NO_CONSENT = "no_consent"
    QUIET_HOURS = "quiet_hours"  # queued, and waits for the hours in which the feed's messages go
    BUDGET = "budget"  # nothing is owed: the pass has had as many messages as the feed's cap allows
    NONE = "none"

    @property
    def owes(self) -> bool:
        """Whether a message goes out, now or later."""
        return self in {Notice.QUEUED, Notice.QUIET_HOURS}


class Purpose(StrEnum):
    """Why a holder is notified."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"

"""An outward effect owed to a holder, the calls that carry it, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flatfile_sync.domain.states import DeliveryKind, DeliveryState, Lane, Outcome, Platform, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One effect owed: (pass, platform, kind, wanted revision, lane).

    `id` is stable over every attempt, so a platform can recognise a repetition. `text`, `texts` and `purpose` belong to
    a message only: its texts by language ("" = of no language), and the one to fall back on. `record` is the record of
    the drop that owed it last.
    """

    id: int
    project: str
    pass_no: int
    pass_id: str
    pass_type: str
    platform: Platform
    kind: DeliveryKind
    revision: int
    lane: Lane
    drop_id: str | None
    record: int | None
    state: DeliveryState
    attempts: int
    due_at: datetime
    text: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    purpose: Purpose | None = None
    expires_at: datetime | None = None

    @property
    def message(self) -> str:
        """The name of the message it carries: the same on both platforms, and in every attempt."""
        return f"{self.drop_id}:{self.record}" if self.drop_id else f"delivery:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a platform says about one delivery of an attempt.

    Exactly one of three: `outcome` settles it; `accepted` means an outcome comes later (`confirm_by` at the latest,
    else it stands as `unconfirmed`); neither means try again, not before `retry_after` seconds. `gone` are the push
    tokens that no device answers to any more, each with the moment since when, if the platform says it. `memory`, if
    not None, is what the platform wants to be reminded of with the pass's next parcel.
    """

    delivery_id: int
    outcome: Outcome | None = None
    accepted: bool = False
    retry_after: float | None = None
    halted: bool = False
    reason: str = ""
    gone: tuple[tuple[str, datetime | None], ...] = ()
    memory: Mapping[str, Any] | None = None

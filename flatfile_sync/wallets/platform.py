"""What the line needs of a wallet platform.

Deliveries are apart from attempts: one call of `send` may carry many deliveries in one push, and each is settled,
accepted (an outcome comes later), put back, or halted on its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.merge import Document
from flatfile_sync.domain.project import PassType
from flatfile_sync.domain.states import PassStatus, Platform
from flatfile_sync.wallets.templates.showing import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One delivery with the pass as it is now: content at the current revision, or a message.

    `tokens` are the push tokens of the devices that hold an Apple pass. `memory` is what the platform asked to be
    reminded of, see `Settlement.memory`. `message` is what the pass carries by now: of a parcel that brings a message,
    that message, unless a newer one took its place. `marketing` is whether the holder agrees to marketing; it is asked
    for where it matters.
    """

    delivery: Delivery
    document: Document
    status: PassStatus
    revision: int
    installed: int
    pass_type: PassType | None = None
    expires_at: str | None = None
    identifiers: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[str, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    message: Message | None = None
    marketing: bool = False


class WalletPlatform(Protocol):
    """A wallet, as the line sees it."""

    name: Platform
    batch: int
    """How many parcels one `send` takes."""
    answers_later: bool
    """Whether `confirm` may say anything; other platforms answer at once, or another door hears the outcome."""
    rate: float
    """Deliveries a second at the platform's pace; the summary's ETA is made of it."""

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Settlement]:
        """Send parcels of one lane and say what became of each, in any order.

        Raises `TemporaryFailure` (nothing is known to have happened: all go back, due by back-off) or
        `PermanentFailure` (none will ever be taken: all settle as `failed`).
        """
        ...

    async def confirm(self, deliveries: Sequence[Delivery]) -> Sequence[Settlement]:
        """Say which accepted deliveries have an outcome by now; those not mentioned stay open."""
        ...

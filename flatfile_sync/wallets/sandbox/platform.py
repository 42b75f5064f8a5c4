"""The sandbox platform: Apple content is accepted and fetched later, Google content is sent at once."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum

from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.failures import PermanentFailure, TemporaryFailure
from flatfile_sync.domain.merge import Document
from flatfile_sync.domain.states import DeliveryKind, Outcome, Platform
from flatfile_sync.wallets.platform import Parcel

MARKER = "metadata.sandbox"
"""A pass whose document has this key behaves as its value says: one word of `Behaviour`."""


class Behaviour(StrEnum):
    """What a pass can ask the sandbox to do."""

    TEMPORARY = "temporary"  # fails twice, then works
    PERMANENT = "permanent"  # is refused for good
    SLOW = "slow"  # the whole call takes a while
    SILENT = "silent"  # is accepted, and no outcome ever comes
    HALTED = "halted"  # as if the credential were refused
    UNREGISTERED = "unregistered"  # the device is gone
    BREAKS_CALL = "breaks_call"  # the whole call fails for now
    REFUSES_CALL = "refuses_call"  # the whole call is refused for good


_FAILURES = 2


class Sandbox:
    """One platform of the sandbox. `contents` is what a holder would see, by pass id."""

    answers_later = True

    def __init__(
        self,
        name: Platform,
        *,
        rate: float = 5000.0,
        latency: float = 0.0,
        batch: int = 500,
        script: Mapping[str, Behaviour] | None = None,
        slow: float = 1.0,
    ) -> None:
        self.name = name
        self.rate = rate
        self.batch = batch
        self.contents: dict[str, tuple[int, Document]] = {}
        self.messages: dict[str, list[str]] = {}
        self.seen: Counter[int] = Counter()
        self._latency = latency
        self._slow = slow
        self._script = dict(script or {})
        self._told: set[int] = set()
        # What stays unanswered, not what is answered: a daemon that comes back still hears of what it sent before.
        self._silent: set[int] = set()

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Settlement]:
        """Answer for each parcel; see `Behaviour` for what can be asked for."""
        asked = [self._behaviour(parcel) for parcel in parcels]
        pause = self._latency + len(parcels) / self.rate + (self._slow if Behaviour.SLOW in asked else 0.0)
        await asyncio.sleep(pause)
        if Behaviour.BREAKS_CALL in asked and self.seen[parcels[0].delivery.id] < _FAILURES:
            for parcel in parcels:
                self.seen[parcel.delivery.id] += 1
            raise TemporaryFailure("the sandbox was asked to break this call")
        if Behaviour.REFUSES_CALL in asked:
            raise PermanentFailure("the sandbox was asked to refuse this call")
        return [self._answer(parcel, behaviour) for parcel, behaviour in zip(parcels, asked, strict=True)]

    async def confirm(self, deliveries: Sequence[Delivery]) -> Sequence[Settlement]:
        """Report as fetched what was accepted, but for the passes that stay silent."""
        return [
            Settlement(delivery_id=delivery.id, outcome=Outcome.FETCHED)
            for delivery in deliveries
            if delivery.id not in self._silent
        ]

    def _behaviour(self, parcel: Parcel) -> Behaviour | None:
        asked = self._script.get(parcel.delivery.pass_id) or parcel.document.get(MARKER)
        return Behaviour(asked) if asked in set(Behaviour) else None

    def _answer(self, parcel: Parcel, behaviour: Behaviour | None) -> Settlement:
        delivery = parcel.delivery
        self.seen[delivery.id] += 1
        if behaviour is Behaviour.TEMPORARY and self.seen[delivery.id] <= _FAILURES:
            return Settlement(delivery_id=delivery.id, retry_after=0.0, reason="temporary, as asked")
        refusals = {
            Behaviour.PERMANENT: Settlement(delivery_id=delivery.id, outcome=Outcome.FAILED, reason="as asked"),
            Behaviour.HALTED: Settlement(delivery_id=delivery.id, halted=True, reason="halted, as asked"),
            Behaviour.UNREGISTERED: Settlement(delivery_id=delivery.id, outcome=Outcome.UNREGISTERED),
        }
        if behaviour in refusals:
            return refusals[behaviour]
        if delivery.kind is DeliveryKind.MESSAGE:
            # Told apart by its id: a repetition reaches the holder once.
            if delivery.id not in self._told:
                self._told.add(delivery.id)
                self.messages.setdefault(delivery.pass_id, []).append(delivery.text or "")
            return Settlement(delivery_id=delivery.id, outcome=Outcome.SENT)
        self.contents[delivery.pass_id] = (parcel.revision, parcel.document)
        if self.name is Platform.APPLE:
            if behaviour is Behaviour.SILENT:
                self._silent.add(delivery.id)
            return Settlement(delivery_id=delivery.id, accepted=True)
        return Settlement(delivery_id=delivery.id, outcome=Outcome.SENT)

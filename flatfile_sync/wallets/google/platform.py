"""Google Wallet, as the line sees it: a delivery is a change of an object, or a message added to it."""

import random
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.failures import PermanentFailure, TemporaryFailure
from flatfile_sync.domain.pacing import Circuit, NoticeLedger
from flatfile_sync.domain.project import PassType
from flatfile_sync.domain.states import DeliveryKind, Outcome, Platform
from flatfile_sync.wallets.google import rounds
from flatfile_sync.wallets.google.calls import STOPPED, Answer, Call
from flatfile_sync.wallets.google.classes import provide
from flatfile_sync.wallets.google.client import Client
from flatfile_sync.wallets.google.contents import keep
from flatfile_sync.wallets.google.links import Links
from flatfile_sync.wallets.google.messages import Note, announce, message_id
from flatfile_sync.wallets.google.reasons import Action, action
from flatfile_sync.wallets.google.rendering import (
    Names,
    RenderClass,
    RenderObject,
    class_thing,
    heading,
    object_thing,
)
from flatfile_sync.wallets.google.resources import Memory, Thing, digest
from flatfile_sync.wallets.google.steps import Fate, Work
from flatfile_sync.wallets.platform import Parcel

RATE: Final = 20.0
"""Google: 20 requests a second."""
_LONGEST_WAIT: Final = 300.0

Typed = tuple[str, PassType]
"""A pass type and the project it belongs to."""
Texts = Callable[[Parcel], Mapping[str, str]]
"""The texts of a parcel's message by language, "" for one that has none."""


@dataclass(frozen=True, slots=True)
class SaveLink:
    """A link, and what to remember of the pass if it is not None."""

    url: str
    memory: Mapping[str, Any] | None = None


def plain_text(parcel: Parcel) -> dict[str, str]:
    """Return a message's texts, as they were sent."""
    return dict(parcel.delivery.texts) or {"": parcel.delivery.text or ""}


class Google:
    """`WalletPlatform` over the Google Wallet API.

    A batch is what the pace lets go in one second, so that a message that somebody waits for waits no longer than that
    for a backlog. Two circuits stop it: the issuer's, when the account is refused, and a class's, when Google refuses
    its template; every pass of that type waits then.
    """

    name = Platform.GOOGLE
    answers_later = False

    def __init__(
        self,
        client: Client,
        *,
        names: Names,
        render_object: RenderObject,
        render_class: RenderClass,
        ledger: NoticeLedger,
        circuit: Circuit,
        links: Links,
        callback_url: str = "",
        texts: Texts = plain_text,
        rate: float = RATE,
        batch: int = int(RATE),
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.rate, self.batch = rate, batch
        self.issuer_circuit = f"google:{names.issuer}"
        self._client, self._names, self._links = client, names, links
        self._render_object, self._render_class = render_object, render_class
        self._ledger, self._circuit = ledger, circuit
        self._callback_url, self._texts, self._jitter = callback_url, texts, jitter
        self._classes: dict[str, str] = {}
        self._run = secrets.token_hex(8)

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Settlement]:
        """Bring the objects of the parcels up to date and add their messages, in order for each object."""
        try:
            return await self._send(parcels)
        except BaseException:
            # What was done is not remembered: from here on this is another process to its memories.
            self._run = secrets.token_hex(8)
            raise

    async def _send(self, parcels: Sequence[Parcel]) -> list[Settlement]:
        chains: dict[int, list[tuple[Parcel, Thing]]] = defaultdict(list)
        found: dict[int, Settlement] = {}
        for parcel in parcels:
            thing = object_thing(parcel, names=self._names, render=self._render_object)
            if thing is None:
                reason = "no Google template for its pass type"
                found[parcel.delivery.id] = _settlement(parcel, Fate(outcome=Outcome.FAILED, reason=reason))
            else:
                chains[parcel.delivery.pass_no].append((parcel, thing))
        classes = await self._provide(_types(chain[0][0] for chain in chains.values()))
        works = []
        for chain in chains.values():
            fate = classes[str(chain[0][1].resource["classId"])]
            if fate.outcome is Outcome.SENT:
                works.append(self._chain(chain))
            else:
                found |= {parcel.delivery.id: self._settled(parcel, fate) for parcel, _ in chain}
        for settlements in await self._work(works):
            found |= {entry.delivery_id: entry for entry in settlements}
        return [found[parcel.delivery.id] for parcel in parcels]

    async def provide_classes(self, types: Iterable[Typed]) -> dict[str, str]:
        """Bring the classes of pass types up to date, at start or when a template changed.

        Return why, by the class's id, of those that could not be; a delivery tries again.
        """
        named = [(project, pass_type) for project, pass_type in types if pass_type.google_type]
        fates = await self._provide(named)
        return {key: fate.reason for key, fate in fates.items() if fate.outcome is not Outcome.SENT}

    async def confirm(self, deliveries: Sequence[Delivery]) -> Sequence[Settlement]:  # noqa: ARG002 - the Protocol's
        """Return nothing: every answer of Google's settles its delivery."""
        return ()

    async def save_link(self, parcel: Parcel) -> SaveLink:
        """Return the link by which a holder adds the pass to Google Wallet.

        An object that is there and up to date is named; one that is not travels in the link if it fits, else it is
        made first. Raises `TemporaryFailure` or `PermanentFailure`.
        """
        thing = object_thing(parcel, names=self._names, render=self._render_object)
        if thing is None:
            raise PermanentFailure("there is no Google template for its pass type")
        memory = Memory.read(parcel.memory)
        if memory.digest and memory.digest == digest(thing.resource):
            return SaveLink(self._links.skinny(thing))
        fate = (await self._provide(_types([parcel])))[str(thing.resource["classId"])]
        if fate.outcome is Outcome.SENT and not memory.digest and not parcel.installed:
            url = self._links.whole(thing)
            if url is not None:
                kept = memory.unsure(thing)
                return SaveLink(url, kept.written() if kept != memory else None)
        if fate.outcome is Outcome.SENT:
            (fate,) = await self._work([keep(replace(thing, notify=False), memory, look=False, run=self._run)])
            self._forget(fate, thing)
        if fate.outcome is Outcome.SENT:
            return SaveLink(self._links.skinny(thing), fate.memory.written() if fate.memory else None)
        self._run = secrets.token_hex(8)
        if fate.outcome is not None:
            raise PermanentFailure(fate.reason)
        raise TemporaryFailure(fate.reason)

    def _chain(self, chain: Sequence[tuple[Parcel, Thing]]) -> Work[list[Settlement]]:
        """Do what is owed of one object in order; what stops a delivery stops those behind it."""
        memory = Memory.read(chain[0][0].memory)
        told: list[Settlement] = []
        stopped: Fate | None = None
        for parcel, thing in chain:
            if stopped is not None:
                told.append(self._settled(parcel, replace(stopped, memory=None)))
                continue
            fate = yield from self._effect(parcel, thing, memory)
            self._forget(fate, thing)
            memory = fate.memory or memory
            told.append(self._settled(parcel, fate))
            if fate.outcome is None:
                stopped = fate
        return told

    def _effect(self, parcel: Parcel, thing: Thing, memory: Memory) -> Work[Fate]:
        delivery = parcel.delivery
        again = delivery.attempts > 1
        if delivery.kind is DeliveryKind.CONTENT:
            look = again or (not memory.digest and parcel.installed > 0)
            key = f"content {delivery.id}"
            return keep(thing, memory, look=look, run=self._run, pass_no=delivery.pass_no, key=key)
        fallback = parcel.pass_type.fallback_language if parcel.pass_type else "en"
        made_of = self._render_class(parcel.pass_type) if parcel.pass_type else {}
        note = Note(
            id=message_id(delivery),
            header=heading(thing.resource, made_of),
            texts=self._texts(parcel),
            fallback=fallback,
        )
        return announce(note, thing, memory, again=again, pass_no=delivery.pass_no, run=self._run)

    async def _provide(self, types: Iterable[Typed]) -> dict[str, Fate]:
        """Bring classes up to date and return how that ended, by the class's id."""
        wanted: dict[str, Thing] = {}
        for project, pass_type in types:
            thing = class_thing(
                project,
                pass_type,
                names=self._names,
                render=self._render_class,
                callback_url=self._callback_url,
            )
            wanted[thing.id] = thing
        found: dict[str, Fate] = {}
        for class_id in wanted:
            for name in (self.issuer_circuit, f"google:{class_id}"):
                if await self._circuit.is_open(name):
                    found[class_id] = Fate(halted=True, reason=f"{name} is stopped")
        fresh = Fate(outcome=Outcome.SENT)
        missing = [thing for key, thing in wanted.items() if key not in found]
        stale = [thing for thing in missing if self._classes.get(thing.id) != digest(thing.resource)]
        for thing, fate in zip(stale, await self._work([provide(thing) for thing in stale]), strict=True):
            if fate.outcome is Outcome.SENT:
                self._classes[thing.id] = digest(thing.resource)
            elif fate.refused:
                await self._circuit.open(f"google:{thing.id}", f"class: {fate.reason}")
                found[thing.id] = Fate(halted=True, reason=f"class: {fate.reason}")
            else:
                found[thing.id] = fate
        return {key: found.get(key, fresh) for key in wanted}

    async def _work(self, works: Sequence[Work[Any]]) -> list[Any]:
        stopped = False

        async def send(calls: Sequence[Call]) -> list[Answer]:
            nonlocal stopped
            if stopped:
                return [Answer(None, reason=STOPPED)] * len(calls)
            answers = await self._client.send(calls)
            refused = next((answer for answer in answers if action(answer) in {Action.HALT, Action.RENEW}), None)
            if refused is not None:
                stopped = True
                await self._circuit.open(self.issuer_circuit, str(refused))
            return answers

        return await rounds.run(works, send=send, claim=self._ledger.claim, width=self.batch)

    def _forget(self, fate: Fate, thing: Thing) -> None:
        if fate.stale:
            self._classes.pop(str(thing.resource["classId"]), None)

    def _settled(self, parcel: Parcel, fate: Fate) -> Settlement:
        # Full jitter: those that were turned away together do not come back together.
        most = min(_LONGEST_WAIT, 2.0 ** min(parcel.delivery.attempts, 16))
        return _settlement(parcel, fate, retry_after=self._jitter(0.0, most) if fate.wait else 0.0)


def _types(parcels: Iterable[Parcel]) -> list[Typed]:
    found = ((parcel.delivery.project, parcel.pass_type) for parcel in parcels)
    return [(project, pass_type) for project, pass_type in found if pass_type is not None]


def _settlement(parcel: Parcel, fate: Fate, *, retry_after: float = 0.0) -> Settlement:
    return Settlement(
        delivery_id=parcel.delivery.id,
        outcome=fate.outcome,
        halted=fate.halted,
        retry_after=None if fate.outcome is not None or fate.halted else retry_after,
        reason=fate.reason,
        memory=fate.memory.written() if fate.memory else None,
    )

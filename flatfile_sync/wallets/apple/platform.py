"""Apple Wallet, as the line sees it: a delivery is a push to each device that holds the pass.

A push says "ask me" and nothing else, so those of one batch collapse by (token, topic): one push may stand for many
deliveries, and one delivery may need several. What the device then fetched, the web service knows.
"""

import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.pacing import Circuit, Pace
from flatfile_sync.domain.states import Outcome, Platform
from flatfile_sync.domain.tally import Figure, Tally
from flatfile_sync.wallets.apple.apns import Push
from flatfile_sync.wallets.apple.apns_reasons import Action, Verdict, verdict
from flatfile_sync.wallets.apple.pushing import Fate, Pusher
from flatfile_sync.wallets.platform import Parcel

_IDS: Final = uuid.UUID("3d0e5f2a-9d0c-5a55-8d6f-0a4a3a5b7c11")
_TOKEN: Final = re.compile(r"[0-9a-fA-F]{2,200}")
_PUSHED: Final = "pushed"
_HALTING: Final = frozenset({Action.STOP_CREDENTIAL, Action.STOP_TOPIC, Action.BUG})

Key = tuple[str, str]
"""Topic and push token."""


@dataclass(slots=True)
class _Tally:
    """What became of the tokens of one delivery."""

    accepted: list[str] = field(default_factory=list)
    gone: list[tuple[str, datetime | None]] = field(default_factory=list)
    wait: timedelta | None = None
    halted: bool = False
    failed: bool = False
    reason: str = ""


class Apple:
    """`WalletPlatform` over APNs. `pushers` are by topic; `topic_of` says which topic a parcel's pass has, if any."""

    name = Platform.APPLE
    answers_later = False

    def __init__(
        self,
        pushers: Mapping[str, Pusher],
        *,
        topic_of: Callable[[Parcel], str | None],
        pace: Pace,
        circuit: Circuit,
        clock: Clock,
        rate: float = 2000.0,
        batch: int = 1000,
        tally: Tally | None = None,
    ) -> None:
        for topic, pusher in pushers.items():
            if not pusher.credential.allows(topic):
                raise ConfigurationError(f"apple: the certificate of {pusher.credential.name!r} is not for {topic!r}.")
        self.rate, self.batch = rate, batch
        self._pushers, self._topic_of = pushers, topic_of
        self._pace, self._circuit, self._clock = pace, circuit, clock
        self._held: dict[Key, datetime] = {}
        self._tally = tally or Tally()

    async def send(self, parcels: Sequence[Parcel]) -> Sequence[Settlement]:
        """Push every device of the parcels once, and say what became of each delivery."""
        topics = {parcel.delivery.id: self._topic_of(parcel) for parcel in parcels}
        groups: dict[Key, list[Parcel]] = defaultdict(list)
        for parcel in parcels:
            topic = topics[parcel.delivery.id]
            if topic is not None and topic in self._pushers:
                for token in _owed(parcel):
                    groups[topic, token].append(parcel)
        found: dict[Key, tuple[Fate, Verdict]] = {}
        for topic, pusher in self._pushers.items():
            keys = [key for key in groups if key[0] == topic]
            if keys:
                found |= await self._push(pusher, topic, {key: groups[key] for key in keys})
        memories = _memories(parcels, topics, found)
        return [self._settle(parcel, topics[parcel.delivery.id], found, memories) for parcel in parcels]

    async def confirm(self, deliveries: Sequence[Delivery]) -> Sequence[Settlement]:  # noqa: ARG002 - the Protocol's
        """Return nothing: the web service settles a delivery when a device has fetched the pass."""
        return ()

    async def close(self) -> None:
        """Close the connections."""
        for pusher in {id(pusher): pusher for pusher in self._pushers.values()}.values():
            await pusher.close()

    async def _push(
        self, pusher: Pusher, topic: str, groups: Mapping[Key, Sequence[Parcel]]
    ) -> dict[Key, tuple[Fate, Verdict]]:
        """Return the fate of each push of a topic, and what it asks for."""
        name = pusher.credential.name
        for circuit in dict.fromkeys((name, f"apns:{topic}")):
            if await self._circuit.is_open(circuit):
                closed = (Fate(None, f"{circuit} is stopped"), Verdict(Action.STOP_CREDENTIAL))
                return dict.fromkeys(groups, closed)
        found = self._waiting(groups)
        # APNs closes a connection sooner that brings it tokens like these, so they never leave.
        for key in groups:
            if not _TOKEN.fullmatch(key[1]):
                found[key] = (Fate(None, "BadDeviceToken"), Verdict(Action.DROP))
        going = [key for key in groups if key not in found]
        if going:
            await self._pace.take(len(going))
            pushes = [Push(token=key[1], topic=topic, apns_id=apns_id(key, groups[key])) for key in going]
            for key, fate in zip(going, await pusher.send(pushes), strict=True):
                attempts = max(parcel.delivery.attempts for parcel in groups[key])
                found[key] = (fate, _verdict(fate, attempts))
                answer = fate.answer
                self._tally.add(Figure.PUSHES, str(answer.status) if answer else "", answer.reason if answer else "")
            await self._alarm(name, topic, [found[key] for key in going])
            self._hold({key: found[key][1] for key in going})
        return found

    async def _alarm(self, credential: str, topic: str, found: Iterable[tuple[Fate, Verdict]]) -> None:
        for fate, (action, _) in found:
            if fate.answer is not None and action in _HALTING:
                name = credential if action is Action.STOP_CREDENTIAL else f"apns:{topic}"
                await self._circuit.open(name, f"{fate.answer.status} {fate.answer.reason}")
            elif fate.answer is None and action is Action.STOP_CREDENTIAL:
                await self._circuit.open(credential, fate.reason)

    def _waiting(self, keys: Iterable[Key]) -> dict[Key, tuple[Fate, Verdict]]:
        """Return the tokens that APNs asked to leave alone, with the time that is left."""
        now = self._clock()
        self._held = {key: until for key, until in self._held.items() if until > now}
        return {
            key: (Fate(None, "APNs asked to wait"), Verdict(Action.DELAY, self._held[key] - now))
            for key in keys
            if key in self._held
        }

    def _hold(self, verdicts: Mapping[Key, Verdict]) -> None:
        """Leave tokens alone: another push to one is the same request again, whichever delivery it is for."""
        now = self._clock()
        for key, (action, wait) in verdicts.items():
            if wait and action in {Action.DELAY, Action.LATER}:
                self._held[key] = now + wait

    def _settle(
        self,
        parcel: Parcel,
        topic: str | None,
        found: Mapping[Key, tuple[Fate, Verdict]],
        memories: Mapping[int, Mapping[str, Any]],
    ) -> Settlement:
        number = parcel.delivery.id
        if topic is None or topic not in self._pushers:
            return Settlement(delivery_id=number, outcome=Outcome.FAILED, reason="no certificate for its pass type")
        if not parcel.tokens:
            return Settlement(delivery_id=number, outcome=Outcome.NOT_INSTALLED)
        tally = _tally(parcel, topic, found)
        told = Settlement(
            delivery_id=number,
            reason=tally.reason,
            gone=tuple(tally.gone),
            memory=memories.get(parcel.delivery.pass_no),
        )
        if tally.halted:
            return replace(told, halted=True)
        if tally.failed:
            return replace(told, outcome=Outcome.FAILED)
        if tally.wait is not None:
            return replace(told, retry_after=tally.wait.total_seconds())
        return replace(told, accepted=True) if tally.accepted else replace(told, outcome=Outcome.UNREGISTERED)


def apns_id(key: Key, parcels: Sequence[Parcel]) -> str:
    """Return the id of a push, the same for every attempt of its first delivery, in whatever process."""
    first = min(parcels, key=lambda parcel: parcel.delivery.id)
    return str(uuid.uuid5(_IDS, f"{key[0]}\n{key[1]}\n{first.delivery.id}\n{first.revision}"))


def _verdict(fate: Fate, attempts: int) -> Verdict:
    if fate.answer is not None:
        judged = verdict(fate.answer.status, fate.answer.reason, attempts=attempts)
        # One token was minted and sent already: what is refused now is the key or the clock.
        return Verdict(Action.STOP_CREDENTIAL) if judged.action is Action.RENEW else judged
    # What another push was answered with, or nothing at all: then it goes again as soon as the line's back-off says.
    return verdict(0, fate.reason) if fate.stopped else Verdict(Action.RECONNECT, timedelta(0))


def _owed(parcel: Parcel) -> list[str]:
    """Return the tokens that have not taken this delivery at this revision yet."""
    taken = set(_before(parcel))
    return [token for token in dict.fromkeys(parcel.tokens) if token not in taken]


def _before(parcel: Parcel) -> list[str]:
    noted = parcel.memory.get(_PUSHED, {}).get(str(parcel.delivery.id), {})
    return list(noted.get("tokens", ())) if noted.get("revision") == parcel.revision else []


def _tally(parcel: Parcel, topic: str, found: Mapping[Key, tuple[Fate, Verdict]]) -> _Tally:
    tally = _Tally(accepted=[token for token in _before(parcel) if token in parcel.tokens])
    for token in _owed(parcel):
        fate, (action, wait) = found[topic, token]
        if action is Action.ACCEPTED:
            tally.accepted.append(token)
            continue
        if action is Action.DROP:
            tally.gone.append((token, fate.answer.timestamp if fate.answer else None))
            continue
        tally.reason = fate.reason or (str(fate.answer.status) if fate.answer else "")
        if action is Action.BUG and fate.answer is not None:
            tally.failed = True
        elif action in _HALTING:
            tally.halted = True
        else:
            tally.wait = max(tally.wait or timedelta(0), wait or timedelta(0))
    return tally


def _memories(
    parcels: Sequence[Parcel], topics: Mapping[int, str | None], found: Mapping[Key, tuple[Fate, Verdict]]
) -> dict[int, dict[str, Any]]:
    """Return what to remember of each pass that was pushed to some of its devices only, or was so before."""
    memories: dict[int, dict[str, Any]] = {}
    for parcel in parcels:
        topic, number = topics[parcel.delivery.id], parcel.delivery.pass_no
        known = memories.get(number, parcel.memory)
        pushed = dict(known.get(_PUSHED, {}))
        name = str(parcel.delivery.id)
        noted = pushed.pop(name, None)
        owed = [found[topic, token][1].action for token in _owed(parcel) if topic and (topic, token) in found]
        if any(action not in {Action.ACCEPTED, Action.DROP} for action in owed):
            tokens = _tally(parcel, topic or "", found).accepted
            if tokens:
                pushed[name] = {"revision": parcel.revision, "tokens": sorted(tokens)}
        if pushed.get(name) != noted:
            memories[number] = {**known, _PUSHED: pushed}
    return memories

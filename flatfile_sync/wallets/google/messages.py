"""A message of an object: added once, under an id of our own, and told to the holder while the quota lasts. Pure.

Google does not look whether an id is there already, so we do. At most ten messages fit; of those that are there, the
oldest make room.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from flatfile_sync.domain.delivery import Delivery
from flatfile_sync.domain.states import Outcome
from flatfile_sync.wallets.google import calls
from flatfile_sync.wallets.google.calls import Resource
from flatfile_sync.wallets.google.contents import keep
from flatfile_sync.wallets.google.reasons import Action, action
from flatfile_sync.wallets.google.resources import Memory, Thing, remembered
from flatfile_sync.wallets.google.steps import Fate, Work, ask, claim, ended

MOST: Final = 10
"""Google: the maximum number of these fields is 10."""
TEXT: Final = "TEXT"
TEXT_AND_NOTIFY: Final = "TEXT_AND_NOTIFY"
# Lost, found to be missing, sent again: what needs more goes back to the line.
_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A message as it should arrive: `texts` by language, "" or the fallback language if there is one only."""

    id: str
    header: str
    texts: Mapping[str, str]
    fallback: str = "en"

    def body(self, kind: str) -> Resource:
        """Return it as the API has it."""
        texts = {language or self.fallback: text for language, text in self.texts.items() if text}
        text = texts.get(self.fallback) or next(iter(texts.values()), "")
        found: Resource = {"id": self.id, "header": self.header, "body": text, "messageType": kind}
        others = sorted((language, other) for language, other in texts.items() if language != self.fallback)
        if others:
            found["localizedBody"] = {
                "defaultValue": {"language": self.fallback, "value": text},
                "translatedValues": [{"language": language, "value": other} for language, other in others],
            }
        return found


def message_id(delivery: Delivery) -> str:
    """Return the id of a message, the same for every attempt of its delivery."""
    named = (delivery.project, delivery.pass_id, delivery.drop_id, delivery.record, delivery.id)
    return hashlib.sha256("\n".join(map(str, named)).encode()).hexdigest()[:32]


def announce(note: Note, thing: Thing, memory: Memory, *, again: bool, pass_no: int, run: str = "") -> Work[Fate]:
    """Add a message; `again`: an earlier attempt may have done it, so the object is read first."""
    writer = _Writer(note, thing, memory, pass_no, run)
    look = again or not memory.users or memory.messages is None or memory.messages >= MOST
    for _ in range(_TRIES):
        if look:
            found = yield from writer.look()
            if found is not None:
                return found
        found = yield from writer.add()
        if found is not None:
            return found
        look = True
    return Fate(reason="no end to it", memory=writer.memory)


class _Writer:
    """Adds one message; `memory` follows what is seen."""

    def __init__(self, note: Note, thing: Thing, memory: Memory, pass_no: int, run: str) -> None:
        self.note, self.thing, self.memory, self.pass_no, self.run = note, thing, memory, pass_no, run
        self.kind: str | None = None  # TEXT or TEXT_AND_NOTIFY, once that is decided
        self.looked = False

    def look(self) -> Work[Fate | None]:
        """Read the object and make room for a message; return a fate if there is nothing left to do, or no way."""
        self.looked = True
        answer = yield from ask(calls.get(self.thing.kind, self.thing.id))
        told = action(answer)
        if told is Action.MISSING:
            made = yield from keep(self.thing, Memory(keys=self.memory.keys), look=False, run=self.run)
            self.memory = made.memory or self.memory
            return None if made.outcome is Outcome.SENT else made
        if told is not Action.DONE:
            return self.ended(ended(answer))
        there: Sequence[Mapping[str, Any]] = answer.body.get("messages") or ()
        self.see(answer.body)
        own = next((message for message in there if message.get("id") == self.note.id), None)
        if own is not None:
            return self.done(notified=own.get("messageType") != TEXT)
        return (yield from self.make_room(there)) if len(there) >= MOST else None

    def make_room(self, there: Sequence[Mapping[str, Any]]) -> Work[Fate | None]:
        """Leave the newest messages, as plain text, so that none of them is told a second time."""
        kept = [{**message, "messageType": TEXT} for message in there[-(MOST - 1) :]]
        answer = yield from ask(calls.patch(self.thing.kind, self.thing.id, {"messages": kept}))
        if action(answer) is Action.UNKNOWN:
            return Fate(reason=str(answer), memory=self.memory)
        if action(answer) is not Action.DONE:
            return self.ended(ended(answer))
        self.see(answer.body)
        return None

    def add(self) -> Work[Fate | None]:
        """Add the message; None if it has to be looked whether it is there."""
        if self.kind is None:
            may = bool(self.memory.users) and (yield from claim(self.pass_no, self.note.id))
            self.kind = TEXT_AND_NOTIFY if may else TEXT
        if not self.memory.users:
            self.kind = TEXT
        answer = yield from ask(calls.add_message(self.thing.kind, self.thing.id, self.note.body(self.kind)))
        told = action(answer)
        if told is Action.QUIET and self.kind == TEXT_AND_NOTIFY:
            self.kind = TEXT
            answer = yield from ask(calls.add_message(self.thing.kind, self.thing.id, self.note.body(TEXT)))
            told = action(answer)
        if told is Action.DONE:
            theirs = answer.body.get("resource")
            self.see(theirs if isinstance(theirs, Mapping) else {})
            return self.done(notified=self.kind == TEXT_AND_NOTIFY)
        # One that was refused unseen may have been one too many.
        if told in {Action.UNKNOWN, Action.MISSING} or (told is Action.REFUSED and not self.looked):
            return None
        return self.ended(ended(answer))

    def see(self, theirs: Mapping[str, Any]) -> None:
        seen = remembered(self.thing, theirs)
        self.memory = replace(self.memory, users=seen.users, messages=seen.messages)

    def done(self, *, notified: bool) -> Fate:
        if notified:
            return Fate(outcome=Outcome.SENT, memory=self.memory)
        if not self.memory.users:
            return Fate(outcome=Outcome.NOT_INSTALLED, reason="nobody has saved the pass", memory=self.memory)
        return Fate(outcome=Outcome.QUOTA_DOWNGRADED, reason="no more notices within 24 hours", memory=self.memory)

    def ended(self, fate: Fate) -> Fate:
        return replace(fate, memory=self.memory)

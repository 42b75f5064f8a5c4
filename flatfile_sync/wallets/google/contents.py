"""An object as it should be: made, changed, or found to be so already. Pure, see `steps`."""

from dataclasses import replace
from typing import Any, Final

from flatfile_sync.domain.states import Outcome
from flatfile_sync.wallets.google import calls
from flatfile_sync.wallets.google.calls import Answer, Call, Resource
from flatfile_sync.wallets.google.reasons import Action, action
from flatfile_sync.wallets.google.resources import (
    NOTIFY,
    NOTIFY_ON_UPDATE,
    Memory,
    Thing,
    changes,
    difference,
    digest,
    remembered,
)
from flatfile_sync.wallets.google.steps import Fate, Work, ask, claim, ended

# Insert, exists, look, patch, lost, look, patch: what needs more than that goes back to the line.
_MOST: Final = 7


def keep(thing: Thing, memory: Memory, *, look: bool, run: str = "", pass_no: int = 0, key: str = "") -> Work[Fate]:
    """Make an object say what it should.

    `look`: what became of an earlier call is not known, or who made the object, so it is read first. `run` is this
    process, whose memory counts. `key` names the change in the notice ledger.
    """
    if not look and memory.run == run and memory.digest == digest(thing.resource):
        return Fate(outcome=Outcome.SENT)
    worker = _Keeper(thing, memory, run)
    call = worker.get() if look else worker.patch() if memory.digest else worker.insert()
    for _ in range(_MOST):
        if call.method == "PATCH" and thing.notify and worker.loud is None:
            worker.loud = memory.users is not False and (yield from claim(pass_no, key))
        answer = yield from ask(worker.loudly(call))
        following = worker.after(call, answer)
        if isinstance(following, Fate):
            return following
        call = following
    return Fate(reason="no end to it", memory=memory.unsure(thing))


class _Keeper:
    """Knows what follows each answer."""

    def __init__(self, thing: Thing, memory: Memory, run: str) -> None:
        self.thing, self.memory, self.run = thing, memory, run
        self.loud: bool | None = None  # whether the holder is told, once that is decided
        self.written = False

    def get(self) -> Call:
        return calls.get(self.thing.kind, self.thing.id)

    def insert(self) -> Call:
        return calls.insert(self.thing.kind, self.thing.resource)

    def patch(self, theirs: Resource | None = None) -> Call:
        ours, owned = self.thing.resource, self.memory.keys
        body = changes(ours, owned) if theirs is None else difference(ours, theirs, owned)
        return calls.patch(self.thing.kind, self.thing.id, body)

    def loudly(self, call: Call) -> Call:
        """Return a PATCH as one that notifies, if it is to; Google forgets the wish after each."""
        if call.method != "PATCH" or not self.loud:
            return call
        return Call(call.method, call.path, {**(call.body or {}), NOTIFY: NOTIFY_ON_UPDATE})

    def after(self, call: Call, answer: Answer) -> Call | Fate:
        """Return the next call, or how it ended."""
        told = action(answer)
        self.written |= call.method != "GET"
        if told is Action.DONE and call.method == "GET":
            patch = self.patch(dict(answer.body))
            return patch if patch.body else self.done(answer.body)
        if told is Action.DONE:
            return self.done(answer.body)
        if told is Action.MISSING and call.method != "POST":
            return self.insert()
        if told in {Action.EXISTS, Action.UNKNOWN} and call.method != "GET":
            return self.get()
        if told is Action.QUIET and self.loud:
            self.loud = False
            return call
        fate = ended(answer)
        return replace(fate, memory=self.memory.unsure(self.thing)) if self.written and not fate.refused else fate

    def done(self, theirs: Any) -> Fate:
        # A holder who could have been told and was not: by our ledger or by theirs.
        hushed = self.thing.notify and self.loud is False and self.memory.users is not False
        outcome = Outcome.QUOTA_DOWNGRADED if hushed else Outcome.SENT
        return Fate(outcome=outcome, memory=remembered(self.thing, theirs, run=self.run))

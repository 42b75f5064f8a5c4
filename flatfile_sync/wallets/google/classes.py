"""A class as its template says: made, changed, or found to be so already. Pure, see `steps`."""

from typing import Final

from flatfile_sync.domain.states import Outcome
from flatfile_sync.wallets.google import calls
from flatfile_sync.wallets.google.reasons import Action, action
from flatfile_sync.wallets.google.resources import Thing, difference, known_paths
from flatfile_sync.wallets.google.steps import Fate, Work, ask, ended
from flatfile_sync.wallets.templates.google_keys import shape

_TRIES: Final = 2


def provide(thing: Thing) -> Work[Fate]:
    """Make a class say what its template says.

    What is at Google is what we compare with, so nothing of classes needs to be remembered, and a key that left the
    template leaves the class. It costs one call for each pass type at each start.
    """
    answer = yield from ask(calls.get(thing.kind, thing.id))
    for _ in range(_TRIES):
        told = action(answer)
        if told is Action.DONE:
            owned = list(known_paths(answer.body, shape(thing.kind)))
            patch = difference(thing.resource, answer.body, owned)
            if not patch:
                return Fate(outcome=Outcome.SENT)
            changed = yield from ask(calls.patch(thing.kind, thing.id, patch))
            return _ended(changed)
        if told not in {Action.MISSING, Action.CLASS_MISSING}:
            break
        made = yield from ask(calls.insert(thing.kind, thing.resource))
        if action(made) is not Action.EXISTS:
            return _ended(made)
        # Another worker was faster.
        answer = yield from ask(calls.get(thing.kind, thing.id))
    return ended(answer)


def _ended(answer: calls.Answer) -> Fate:
    return Fate(outcome=Outcome.SENT) if action(answer) is Action.DONE else ended(answer)

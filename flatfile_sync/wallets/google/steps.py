"""What work on one object asks for, step by step, and how it ended. Pure.

Work is a generator: it yields a call or a claim of the notice ledger and is sent the answer.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, TypeVar

from flatfile_sync.domain.states import Outcome
from flatfile_sync.wallets.google.calls import Answer, Call
from flatfile_sync.wallets.google.reasons import Action, action
from flatfile_sync.wallets.google.resources import Memory


class Claim(NamedTuple):
    """One more notice for a pass, asked of the ledger; `key` names what it is for."""

    pass_no: int
    key: str


Step: TypeAlias = Call | Claim
Reply: TypeAlias = Answer | bool | None
T = TypeVar("T")
Work: TypeAlias = Generator[Step, Reply, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """How work ended: with an outcome, halted, or neither, which is to be tried again.

    `wait`: not at once, since they are too busy. `stale`: the class is not there, whatever we thought.
    """

    outcome: Outcome | None = None
    halted: bool = False
    wait: bool = False
    stale: bool = False
    refused: bool = False
    reason: str = ""
    memory: Memory | None = None


def ask(call: Call) -> Work[Answer]:
    """Make a call and return its answer."""
    reply = yield call
    if not isinstance(reply, Answer):
        raise TypeError(reply)
    return reply


def claim(pass_no: int, key: str) -> Work[bool]:
    """Return whether one more notice may go."""
    reply = yield Claim(pass_no, key)
    return reply is True


def ended(answer: Answer) -> Fate:
    """Return how work ends with an answer that leaves nothing more to do now."""
    told = action(answer)
    if told is Action.REFUSED:
        return Fate(outcome=Outcome.FAILED, refused=True, reason=answer.reason or str(answer.status))
    # A token that was minted just now and is refused too: it is the account.
    if told in {Action.HALT, Action.RENEW}:
        return Fate(halted=True, reason=str(answer))
    return Fate(wait=told is Action.LATER, stale=told is Action.CLASS_MISSING, reason=str(answer))

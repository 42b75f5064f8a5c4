"""How work becomes due and where heavy work runs: two small Protocols, implemented in `work`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class TaskKind(StrEnum):
    """What can be due."""

    ADVANCE = "advance"  # key = drop id: walk the drop along the line as far as it goes
    DELIVER = "deliver"  # key = platform: send what is due there
    CONFIRM = "confirm"  # key = platform: ask for outcomes that arrive later


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """One piece of due work; the same (kind, key) is never run twice at once."""

    priority: int
    kind: TaskKind
    key: str
    not_before: datetime | None = None


class Engine(Protocol):
    """Makes work run once its transaction has committed.

    An engine may lose a submission (kill -9): the sweep over the tables submits again what is outstanding.
    """

    def submit(
        self, connection: Any, kind: TaskKind, key: str, *, not_before: datetime | None = None, priority: int = 0
    ) -> None:
        """Note that work is due; called inside the transaction on `connection` that makes it necessary."""
        ...


class Compute(Protocol):
    """Runs CPU-bound functions away from the event loop, in processes without a database."""

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)`; function, arguments and result can be pickled."""
        ...

    @property
    def width(self) -> int:
        """How many functions run at the same time."""
        ...

"""Stand-ins at the seams where time, processes or files would make a test slow. There is none for the store."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Project

P = ParamSpec("P")
T = TypeVar("T")

START = datetime(2026, 8, 1, 4, 3, 12, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until told otherwise; `step` is added after each look at it."""

    def __init__(self, now: datetime = START, *, step: timedelta = timedelta(0)) -> None:
        self.now = now
        self.step = step

    def __call__(self) -> datetime:
        now = self.now
        self.now += self.step
        return now

    def set(self, now: datetime) -> None:
        self.now = now

    def advance(self, by: timedelta) -> datetime:
        self.now += by
        return self.now


class InlineCompute:
    """Runs functions in the calling process, at once."""

    def __init__(self, width: int = 2) -> None:
        self.width = width

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)


class RecordingEngine:
    """Remembers what was submitted and runs nothing; a transaction that rolls back leaves its submissions here."""

    def __init__(self) -> None:
        self.submitted: list[Task] = []

    def submit(
        self, connection: Any, kind: TaskKind, key: str, *, not_before: datetime | None = None, priority: int = 0
    ) -> None:
        assert connection.in_transaction(), "work is submitted inside the transaction that makes it necessary"
        self.submitted.append(Task(priority=priority, kind=kind, key=key, not_before=not_before))

    def keys(self, kind: TaskKind) -> list[str]:
        return [task.key for task in self.submitted if task.kind is kind]


class FixedProjects:
    """Project definitions given as objects; a document is only the name under which `load` finds them again."""

    def __init__(self, projects: Mapping[str, Project]) -> None:
        self.projects = dict(projects)
        self._dumped: dict[bytes, Project] = {}

    def current(self, name: str) -> Project:
        try:
            return self.projects[name]
        except KeyError:
            raise ConfigurationError(f"There is no project {name!r}.") from None

    def names(self) -> list[str]:
        return sorted(self.projects)

    def dump(self, project: Project) -> bytes:
        document = f"{project.name}@{project.version}".encode()
        self._dumped[document] = project
        return document

    def load(self, document: bytes) -> Project:
        return self._dumped[document]

"""Passes that a file says exist: for a check without a database, made from the file's own identifier cells.

A record that updates, voids or notifies names a pass; where none is known by its cells, one is assumed. Of a unique
kind the first record decides whose a value is; a later record that pairs it with another stays in disagreement, as it
would against real passes. What an earlier record of the file creates is not assumed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.columns import Role
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.domain.states import Operation
from flatfile_sync.files.columns import read_lists
from flatfile_sync.pipeline.flow import Checked
from flatfile_sync.pipeline.founding import NewPass, insert_passes
from flatfile_sync.pipeline.resolving import unique_columns
from flatfile_sync.store.database import Store

_CREATES: Final = frozenset({Operation.UPSERT, Operation.CREATE})
_DOCUMENT: Final = "{}"
_BATCH: Final = 10_000


@dataclass(slots=True)
class _Assumed:
    """One pass: its type and the identifiers its records gave it so far; `id` is ours if a record named it."""

    pass_type: str
    id: str | None = None
    ids: dict[str, str] = field(default_factory=dict)


def assume(checked: Checked, project: Project, feed: Feed, *, folder: Path, store: Store, clock: Clock) -> int:
    """Store the passes that a checked file names and return how many; `folder` holds its checked chunks."""
    names = [column.name for column in checked.reading.columns if column.role in {Role.PASS_ID, Role.IDENTIFIER}]
    known = _Known(project, feed)
    for part in () if checked.refused else checked.slices:
        lists = read_lists(folder / part.file, [*names, "op", "pass_type", "failed"])
        for row, failed in enumerate(lists["failed"]):
            cells = {name: lists[name][row] for name in names if lists[name][row] is not None}
            if cells and not failed:
                known.look(cells, lists["pass_type"][row], creates=lists["op"][row] in _CREATES)
    rows = [
        NewPass(record=0, id=found.id, pass_type=found.pass_type, ids=found.ids, document=_DOCUMENT, apple=1, google=1)
        for found in known.passes
    ]
    for some in _batches(rows):
        store.write_now(lambda conn, some=some: insert_passes(conn, some, project, clock=clock))  # type: ignore[misc]
    return len(rows)


class _Known:
    """The passes of a file so far, by each of their identifiers."""

    def __init__(self, project: Project, feed: Feed) -> None:
        self.passes: list[_Assumed] = []
        self._default = feed.pass_type or project.pass_types[0].name
        self._unique = unique_columns(project)
        self._owners: dict[tuple[str, str], list[_Assumed]] = defaultdict(list)
        self._created: set[tuple[str, str]] = set()

    def look(self, cells: Mapping[str, str], pass_type: str | None, *, creates: bool) -> None:
        """Take one record; `cells` are its identifier columns that are filled in."""
        own = {column: value for column, value in cells.items() if column in self._unique}
        # Several passes may share the other kinds: these decide only where a record has nothing of its own.
        deciding = (own or cells).items()
        if creates:
            self._created.update(cells.items())
        elif self._created.isdisjoint(deciding):
            owners = (self._owner(column, value, pass_type) for column, value in deciding)
            owner = next((found for found in owners if found is not None), None)
            if owner is None:
                owner = _Assumed(pass_type or self._default)
                self.passes.append(owner)
            for column, value in cells.items():
                self._give(owner, column, value)

    def _owner(self, column: str, value: str, pass_type: str | None) -> _Assumed | None:
        found = self._owners.get((column, value), ())
        return next((owner for owner in found if pass_type is None or owner.pass_type == pass_type), None)

    def _give(self, owner: _Assumed, column: str, value: str) -> None:
        kind = column.removeprefix("id.")
        has = owner.id if column == "id" else owner.ids.get(kind)
        # First come, first served: a pass has one value of a kind, and what is unique belongs to one pass.
        if has is not None or (column in self._unique and self._owner(column, value, owner.pass_type) is not None):
            return
        if column == "id":
            owner.id = value
        else:
            owner.ids[kind] = value
        self._owners[column, value].append(owner)


def _batches(rows: Sequence[NewPass]) -> Iterator[Sequence[NewPass]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]

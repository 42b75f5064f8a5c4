"""Passes that come from no record of a drop: stored with their identifiers, each of which names one pass only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Cardinality, Project
from flatfile_sync.domain.states import PassStatus
from flatfile_sync.pipeline.resolving import erasure_issue, key_issue
from flatfile_sync.store import erasures, identifiers, passes
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.passes import PassRow
from flatfile_sync.store.tables import micros

_SECOND: Final = 1_000_000
Mark = tuple[str, str, str]
"""An identifier that one pass may have: column, value, and the pass type it is unique in (empty for our own id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPass:
    """A pass to be stored. `id` None = we give one; `document` is JSON text; `apple` and `google` as in `PassRow`."""

    record: int
    id: str | None
    pass_type: str
    ids: dict[str, str]
    document: str
    status: str = PassStatus.ACTIVE.value
    expires_at: str | None = None
    apple: int = 0
    google: int = 0


def insert_passes(conn: Connection, rows: Sequence[NewPass], project: Project, *, clock: Clock) -> None:
    """Store passes whose identifiers are free, with their identifiers."""
    moment = micros(clock())
    created = passes.create_many(
        conn,
        [
            PassRow(
                no=0,
                id=row.id or uuid4().hex,
                project=project.name,
                pass_type=row.pass_type,
                status=row.status,
                revision=1,
                document=row.document,
                expires_at=row.expires_at,
                writers="{}",
                apple=row.apple,
                google=row.google,
                modified_at=moment // _SECOND * _SECOND,
            )
            for row in rows
        ],
        tag=next_tag(conn),
        created_at=moment,
    )
    unique = unique_kinds(project)
    identifiers.insert_many(
        conn,
        [
            (project.name, kind, value, stored.pass_type if kind in unique else stored.id, stored.no)
            for stored, row in zip(created, rows, strict=True)
            for kind, value in row.ids.items()
        ],
    )


def store_missing(
    conn: Connection, rows: Sequence[NewPass], project: Project, *, last: int, clock: Clock
) -> tuple[int, list[Issue]]:
    """Store those of the rows that are not there; return their number, or 0 and what is wrong, with nothing stored.

    A pass with a higher number than `last` was stored by the same import: naming it again is a mistake.
    """
    known = _known(conn, rows, project)
    erased = erasures.tombstones(conn, project.name)
    here: set[Mark] = set()
    fresh: list[NewPass] = []
    problems: list[Issue] = []
    for row in rows:
        marks = _marks(row, project)
        numbers = [known.get(mark, 0) for mark in marks]
        # Our own id decides alone; without it all that is unique must name one pass.
        deciding = numbers[:1] if row.id is not None else numbers
        again = not here.isdisjoint(marks)
        gone = erasure_issue([("id", row.id or ""), *_named(row)], erased, project, record=row.record)
        if gone is not None:
            problems.append(gone)
            continue
        there = 0 < deciding[0] <= last and len(set(deciding)) == 1
        if not again and not any(numbers):
            fresh.append(row)
        elif again or not there:
            keys = [mark[:2] for mark in marks if mark in known or mark in here]
            problems.append(key_issue("K05", keys, project, record=row.record))
        here.update(marks)
    if problems:
        return 0, problems
    insert_passes(conn, fresh, project, clock=clock)
    return len(fresh), []


def _known(conn: Connection, rows: Sequence[NewPass], project: Project) -> dict[Mark, int]:
    """Return the pass number of each identifier that is in use; a pass of another project counts as -1."""
    owners = passes.owners(conn, sorted({row.id for row in rows if row.id is not None}))
    known: dict[Mark, int] = {
        ("id", pass_id, ""): number if owner == project.name else -1 for pass_id, (number, owner) in owners.items()
    }
    for kind in unique_kinds(project):
        values = sorted({row.ids[kind] for row in rows if kind in row.ids})
        for (value, scope), number in identifiers.taken(conn, project.name, kind, values).items():
            known[f"id.{kind}", value, scope] = number
    return known


def _named(row: NewPass) -> list[tuple[str, str]]:
    return [(f"id.{kind}", value) for kind, value in row.ids.items()]


def _marks(row: NewPass, project: Project) -> list[Mark]:
    """Return what is unique about a row, our own id first."""
    own: list[Mark] = [("id", row.id, "")] if row.id is not None else []
    unique = unique_kinds(project)
    return own + [(f"id.{kind}", value, row.pass_type) for kind, value in row.ids.items() if kind in unique]


def unique_kinds(project: Project) -> frozenset[str]:
    """Return the names of the identifier kinds of which one value names one pass of a type."""
    return frozenset(kind.name for kind in project.model.identifiers if kind.cardinality is Cardinality.UNIQUE)


def _is_key(name: str) -> bool:
    return name == "id" or name.startswith("id.")

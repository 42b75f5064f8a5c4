"""Erase a person: their data, identifiers and devices go; what stays says only that they were here.

What stays is a tombstone (see `domain.tombstones`), so that a late file that names them is refused with K08 and does
not bring them back, and the proof of what they agreed to, for as long as the project keeps it. Google has no way to
delete an object, so it is told to show an empty, inactive one. Files that partners sent or were sent are left alone:
`traces` finds those that still name the person, and until when they are kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.layers import LayerLimits
from flatfile_sync.domain.project import Cardinality, Project, Retention
from flatfile_sync.domain.states import ERASED, Lane, Platform
from flatfile_sync.domain.tombstones import OWN_ID, Key
from flatfile_sync.files.layers import open_layers
from flatfile_sync.pipeline.operate import ACTOR
from flatfile_sync.pipeline.subjects import person_kind
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import audit, deliveries, erasures, holdings, identifiers, passes
from flatfile_sync.store.database import Store
from flatfile_sync.store.erasures import Removed
from flatfile_sync.store.holdings import Holding
from flatfile_sync.store.passes import PassRow
from flatfile_sync.store.tables import micros

_BLOCK: Final = 1 << 20
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom to erase: all passes of theirs, every identifier of those, and the subjects they speak as about consent."""

    rows: tuple[PassRow, ...]
    keys: tuple[Key, ...]
    subjects: tuple[tuple[str, str], ...]


class Trace(NamedTuple):
    """A file that still names the person; `until` None = as long as its drop is under way."""

    account: str
    zone: str
    name: str
    until: datetime | None


def find_person(conn: Connection, key: str, project: Project) -> Person:
    """Return the person behind `KIND=VALUE` or a pass id. Raises `Refused` if there is none."""
    kind, equals, value = key.partition("=")
    kind = kind.removeprefix("id.")
    if equals and project.model.identifier(kind) is None:
        known = ", ".join(f"{known.name}=..." for known in project.model.identifiers)
        raise Refused(f"{kind!r} is no identifier of project {project.name!r}; write a pass id or one of {known}.")
    rows = passes.find(conn, project.name, kind, value) if equals else _by_id(conn, key, project)
    if not rows:
        raise Refused(f"No pass of project {project.name!r} has {kind if equals else 'this id'}{equals}{value}.")
    person = person_kind(project)
    named = identifiers.of_passes(conn, [row.no for row in rows])
    for other in sorted({value for _, kind, value in named if kind == person}):
        rows += passes.find(conn, project.name, person or "", other)
    rows = sorted({row.no: row for row in rows}.values())
    if len(rows) > _MOST:
        raise Refused(f"{len(rows):,} passes share this identifier; it is nobody's own. Name a pass or a person.")
    found = sorted({(kind, value) for _, kind, value in identifiers.of_passes(conn, [row.no for row in rows])})
    subjects = [key for key in found if key[0] == person] + [("pass", row.id) for row in rows]
    return Person(rows=tuple(rows), keys=tuple(found), subjects=tuple(subjects))


def erase(conn: Connection, person: Person, project: Project, *, clock: Clock) -> Removed:
    """Erase a person inside one transaction. Raises `Refused` if their passes are not as they were found."""
    now = clock()
    numbers = [row.no for row in person.rows]
    # Whoever changed a pass or its identifiers since they were found raised its revision.
    if [row[:6] for row in passes.load_many(conn, numbers, lock=True)] != [row[:6] for row in person.rows]:
        raise Refused("The passes changed while they were looked at; nothing was erased. Try again.")
    removed = erasures.remove(conn, project.name, numbers, person.subjects, now=now)
    erasures.remember(conn, project.name, _tombstones(person, project), now=now)
    there = passes.load_many(conn, numbers, erased=True)
    rows = [(row.no, Platform.GOOGLE.value, row.revision, 0) for row in there if row.google]
    deliveries.owe_content(conn, rows, project=project.name, lane=Lane.OPERATIONAL, drop_id=None, due_at=micros(now))
    counts = {name: getattr(removed, name) for name in Removed.__dataclass_fields__}
    told = {"project": project.name, "pass_ids": [row.id for row in person.rows], **counts}
    audit.record(conn, at=now, actor=ACTOR, event="person_erased", details=told)
    return removed


def readmit(conn: Connection, key: str, project: Project, *, clock: Clock) -> None:
    """Let files name an identifier again that belonged to somebody erased. Raises `Refused` if none did."""
    kind, equals, value = key.partition("=")
    found = (kind.removeprefix("id."), value) if equals else (OWN_ID, key)
    if not erasures.readmit(conn, project.name, found):
        raise Refused("Nobody with this identifier was erased.")
    details = {"project": project.name, "kind": found[0]}
    audit.record(conn, at=clock(), actor=ACTOR, event="person_readmitted", details=details)


def traces(person: Person, project: Project, *, store: Store, spool: Spool, work: Path) -> Iterator[Trace]:
    """Yield the files that still name a person by an identifier or a pass id; reads every file of the project.

    Layers are taken off into the folder `work`; a file whose layers do not come off names nobody that could be read.
    """
    words = [value for _, value in person.keys] + [row.id for row in person.rows]
    alternatives = b"|".join(re.escape(word.encode()) for word in sorted(words, key=len, reverse=True))
    # A value that is part of a longer word is another value.
    pattern = re.compile(rb"(?<![0-9A-Za-z])(?:" + alternatives + rb")(?![0-9A-Za-z])")
    longest = max(len(word.encode()) for word in words) + 2
    for holding in store.read_now(lambda conn: holdings.of_project(conn, project.name)):
        if _names(spool.path(holding.blob), pattern, longest, work / "content"):
            yield Trace(holding.account, holding.zone, holding.name, _until(holding, project.retention))


def _by_id(conn: Connection, pass_id: str, project: Project) -> list[PassRow]:
    row = passes.by_id(conn, pass_id)
    return [row] if row is not None and row.project == project.name and row.status != ERASED else []


def _tombstones(person: Person, project: Project) -> list[Key]:
    """Return what names this person and nobody else: an identifier that others share stays theirs."""
    own = {kind.name for kind in project.model.identifiers if kind.person or kind.cardinality is Cardinality.UNIQUE}
    return [key for key in person.keys if key[0] in own] + [(OWN_ID, row.id) for row in person.rows]


def _names(path: Path, pattern: re.Pattern[bytes], longest: int, content: Path) -> bool:
    """Return whether a file holds the pattern, read block by block."""
    try:
        layers = open_layers(path, content, limits=LayerLimits()).layers
        with (content if layers and content.exists() else path).open("rb") as handle:
            kept = b""
            while block := handle.read(_BLOCK):
                text = kept + block
                if pattern.search(text):
                    return True
                kept = text[-longest:]
    except FileNotFoundError:
        pass  # it went by its retention while we were looking
    finally:
        content.unlink(missing_ok=True)
    return False


def _until(holding: Holding, kept: Retention) -> datetime | None:
    ages = {"archive": kept.archive, "outbox": kept.reports, "exports": kept.exports, "abandoned": kept.abandoned}
    age = ages.get(holding.zone)
    return None if age is None else holding.since + age

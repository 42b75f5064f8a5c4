"""Wallet passes: loaded, created and rewritten in sets."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.states import ERASED
from flatfile_sync.store import counters
from flatfile_sync.store.dialects import (
    fetch_json,
    fetch_tuples,
    is_sqlite,
    join_outwards,
    key_set,
    update_many,
)
from flatfile_sync.store.dialects import insert_many as insert_tuples
from flatfile_sync.store.tables import identifiers, passes


class PassRow(NamedTuple):
    """A pass as it is stored; `document` and `writers` are JSON text, times integer microseconds."""

    no: int
    id: str
    project: str
    pass_type: str
    status: str
    revision: int
    document: str
    expires_at: str | None
    writers: str
    apple: int
    google: int
    modified_at: int


_SECOND = 1_000_000

Stamp = tuple[int, int, int, int]
"""(number, revision, Apple devices, Google saves): whoever changes what else a pass holds raises its revision."""

Rewrite = tuple[str, int, str, str | None, str, int, int]
"""(status, revision, document, expires at, writers, modified at, number) of a pass, see `PassRow`."""

_STAMP = ("no", "revision", "apple", "google")
_COLUMNS = tuple(passes.c[name] for name in PassRow._fields)
# `Moment` would make a datetime of every row of the hot path; the merge wants the integer.
_RAW = tuple(sa.type_coerce(column, sa.BigInteger) if column.name == "modified_at" else column for column in _COLUMNS)
_CREATED = (*PassRow._fields, "tag", "created_at")
_REWRITTEN = ("status", "revision", "document", "expires_at", "writers", "modified_at")


def load_many(conn: Connection, nos: Sequence[int], *, lock: bool = False, erased: bool = False) -> list[PassRow]:
    """Return the passes with these numbers, by number; with `lock` nobody else can change them (PostgreSQL).

    With `erased` also the empty rows of holders who were erased.
    """
    if not nos:
        return []
    query = _named(conn, nos, _RAW, erased=erased).order_by(passes.c.no)
    rows = fetch_tuples(conn, _locked(query) if lock and not is_sqlite(conn) else query)
    return list(map(PassRow._make, rows))


def load_json(conn: Connection, nos: Sequence[int]) -> bytes | str:
    """Return the passes with these numbers, in no order, as a JSON array of arrays in the order of `PassRow`."""
    return fetch_json(conn, _named(conn, nos, _RAW))


def stamp(row: PassRow) -> Stamp:
    """Return the stamp of a pass."""
    return row.no, row.revision, row.apple, row.google


def unmoved(conn: Connection, seen: Sequence[Stamp]) -> bool:
    """Return whether passes still are as they were seen, and keep them so until the transaction ends."""
    if not seen:
        return True
    if is_sqlite(conn):
        stamps = sa.func.json_each(orjson.dumps(seen).decode()).table_valued("value", name="stamps")
        number, *rest = (sa.func.json_extract(stamps.c.value, f"$[{place}]") for place in range(len(_STAMP)))
        same = [passes.c[name] == value for name, value in zip(_STAMP[1:], rest, strict=True)]
        query = join_outwards(conn, stamps, passes, passes.c.no == number).where(*same)
        return bool(conn.execute(query.add_columns(sa.func.count())).scalar_one() == len(seen))
    columns = [passes.c[name] for name in _STAMP]
    return fetch_tuples(conn, _locked(_named(conn, [no for no, *_ in seen], columns))) == sorted(seen)


def _named(
    conn: Connection, nos: Sequence[int], columns: Sequence[sa.ColumnElement[Any]], *, erased: bool = False
) -> sa.Select[Any]:
    keys = key_set(conn, nos, kind=int)
    query = join_outwards(conn, keys, passes, passes.c.no == keys.c.value).add_columns(*columns)
    return query if erased else query.where(passes.c.status != ERASED)


def _locked(query: sa.Select[Any]) -> sa.Select[Any]:
    # In pass-id order, so that two appliers wait for each other instead of deadlocking.
    return query.order_by(passes.c.no).with_for_update(of=passes)


def create_many(conn: Connection, rows: Sequence[PassRow], *, tag: int, created_at: int) -> list[PassRow]:
    """Store new passes (their `no` is ignored) and return them with their numbers, in order."""
    if not rows:
        return []
    last = counters.advance(conn, "pass_no", by=len(rows))
    numbered = [row._replace(no=last - len(rows) + 1 + index) for index, row in enumerate(rows)]
    insert_tuples(conn, passes, _CREATED, ((*row, tag, created_at) for row in numbered))
    return numbered


def rewritten(row: PassRow) -> Rewrite:
    """Return what is written of a pass that exists."""
    no, _, _, _, status, revision, document, expires_at, writers, _, _, modified_at = row
    return status, revision, document, expires_at, writers, modified_at, no


def rewrite_many(conn: Connection, rewrites: Sequence[Rewrite], *, tag: int) -> None:
    """Write passes back."""
    update_many(conn, passes, "no", _REWRITTEN, rewrites, shared={"tag": tag})


def touch_many(conn: Connection, nos: Sequence[int], *, tag: int, now: int) -> None:
    """Let passes look changed, though none of their values is: a revision on, changed at `now` (microseconds) or after.

    Whole seconds, strictly rising: Last-Modified has no finer resolution (wallet contract, 1.4).
    """
    if not nos:
        return
    before = sa.type_coerce(passes.c.modified_at, sa.BigInteger)
    second = now // _SECOND * _SECOND
    later = sa.case((before + _SECOND > second, before + _SECOND), else_=second)
    chosen = passes.c.no.in_(sa.select(key_set(conn, nos).c.value))
    moved = {"revision": passes.c.revision + 1, "tag": tag, "modified_at": later}
    conn.execute(sa.update(passes).where(chosen).values(**moved))


def of_type(conn: Connection, project: str, pass_type: str, *, after: int, limit: int) -> list[Stamp]:
    """Return the stamps of a type's passes, by number, from behind `after` on."""
    chosen = (passes.c.project == project) & (passes.c.pass_type == pass_type) & (passes.c.status != ERASED)
    query = sa.select(*(passes.c[name] for name in _STAMP)).where(chosen, passes.c.no > after)
    return fetch_tuples(conn, query.order_by(passes.c.no).limit(limit))


class Held(NamedTuple):
    """Where a pass is held, and since when it is as it is; times in microseconds."""

    no: int
    id: str
    pass_type: str
    status: str
    apple: int
    google: int
    created_at: int
    modified_at: int


def page(conn: Connection, project: str, *, after: int, limit: int) -> list[Held]:
    """Return where passes of a project are held, by number, from behind `after` on."""
    times = {name: sa.type_coerce(passes.c[name], sa.BigInteger) for name in ("created_at", "modified_at")}
    columns = [times.get(name, passes.c[name]) for name in Held._fields]
    chosen = (passes.c.project == project) & (passes.c.status != ERASED) & (passes.c.no > after)
    return list(
        map(Held._make, fetch_tuples(conn, sa.select(*columns).where(chosen).order_by(passes.c.no).limit(limit)))
    )


def by_id(conn: Connection, pass_id: str) -> PassRow | None:
    """Return a pass by our id, or None."""
    row = conn.execute(sa.select(*_RAW).where(passes.c.id == pass_id)).first()
    return PassRow._make(row) if row else None


def find(conn: Connection, project: str, kind: str, value: str) -> list[PassRow]:
    """Return the passes that carry an identifier."""
    condition = (identifiers.c.project == project) & (identifiers.c.kind == kind) & (identifiers.c.value == value)
    query = (
        sa.select(*_RAW)
        .select_from(identifiers.join(passes, passes.c.no == identifiers.c.pass_no))
        .where(condition)
        .order_by(passes.c.no)
    )
    return [PassRow._make(row) for row in conn.execute(query)]


def count(conn: Connection, project: str) -> int:
    """Return how many passes a project has."""
    chosen = (passes.c.project == project) & (passes.c.status != ERASED)
    return int(conn.execute(sa.select(sa.func.count()).select_from(passes).where(chosen)).scalar_one())


def owners(conn: Connection, pass_ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return pass id -> (number, project) of those that exist, in any project."""
    if not pass_ids:
        return {}
    keys = key_set(conn, pass_ids)
    query = join_outwards(conn, keys, passes, passes.c.id == keys.c.value)
    rows = conn.execute(query.add_columns(passes.c.id, passes.c.no, passes.c.project))
    return {pass_id: (no, project) for pass_id, no, project in rows}

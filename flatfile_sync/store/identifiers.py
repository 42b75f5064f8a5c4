"""External ids of passes. A unique kind is unique within (project, pass type); a shared one may name many passes."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.states import ERASED
from flatfile_sync.store.dialects import fetch_json, join_outwards, key_set
from flatfile_sync.store.dialects import insert_many as insert_tuples
from flatfile_sync.store.tables import identifiers, passes

Matches = bytes | str
"""JSON array of [value, pass number, pass id, pass type]."""


def resolve(conn: Connection, project: str, kind: str, values: Sequence[str]) -> Matches:
    """Return every pass that carries one of the distinct values of a kind."""
    keys = key_set(conn, values, kind=str)
    owner = identifiers.c
    joined = join_outwards(
        conn,
        keys,
        identifiers,
        (owner.project == project) & (owner.kind == kind) & (owner.value == keys.c.value),
        (passes, passes.c.no == owner.pass_no),
    ).add_columns(owner.value, owner.pass_no, passes.c.id, passes.c.pass_type)
    return fetch_json(conn, joined)


def resolve_ids(conn: Connection, project: str, values: Sequence[str]) -> Matches:
    """Return the passes of the project with one of our own pass ids."""
    keys = key_set(conn, values, kind=str)
    ours = (passes.c.id == keys.c.value) & (passes.c.project == project) & (passes.c.status != ERASED)
    joined = join_outwards(conn, keys, passes, ours)
    return fetch_json(
        conn, joined.add_columns(passes.c.id.label("value"), passes.c.no, passes.c.id, passes.c.pass_type)
    )


def insert_many(conn: Connection, rows: Iterable[tuple[str, str, str, str, int]]) -> None:
    """Store (project, kind, value, scope, pass_no) rows; the caller knows that they are free."""
    insert_tuples(conn, identifiers, ("project", "kind", "value", "scope", "pass_no"), rows)


def delete_many(conn: Connection, rows: Sequence[tuple[str, str, int]]) -> None:
    """Remove (project, kind, pass_no) identifiers, in one phase before corrected ones are inserted."""
    if rows:
        condition = (
            (identifiers.c.project == sa.bindparam("p"))
            & (identifiers.c.kind == sa.bindparam("k"))
            & (identifiers.c.pass_no == sa.bindparam("n"))
        )
        conn.execute(sa.delete(identifiers).where(condition), [{"p": p, "k": k, "n": n} for p, k, n in rows])


def taken(conn: Connection, project: str, kind: str, values: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return (value, scope) -> pass number for those of the values that are in use."""
    if not values:
        return {}
    keys = key_set(conn, values)
    owner = identifiers.c
    joined = join_outwards(
        conn, keys, identifiers, (owner.project == project) & (owner.kind == kind) & (owner.value == keys.c.value)
    ).add_columns(owner.value, owner.scope, owner.pass_no)
    return {(value, scope): no for value, scope, no in conn.execute(joined)}


def of_passes(conn: Connection, pass_nos: Sequence[int]) -> list[tuple[int, str, str]]:
    """Return (pass number, kind, value) of the passes, sorted."""
    keys = key_set(conn, pass_nos, kind=int)
    joined = join_outwards(conn, keys, identifiers, identifiers.c.pass_no == keys.c.value)
    rows = joined.add_columns(identifiers.c.pass_no, identifiers.c.kind, identifiers.c.value)
    return sorted((no, kind, value) for no, kind, value in conn.execute(rows))

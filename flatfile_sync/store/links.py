"""Add-to-wallet links: which passes each is for, until when, and whether it was called back.

A link is a row per pass: `<link>/0`, `<link>/1`, so that passes bought together are added together.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.links import MOST_PASSES
from flatfile_sync.store.dialects import insert_many, key_set
from flatfile_sync.store.tables import micros
from flatfile_sync.store.wallet_tables import links


class LinkRow(NamedTuple):
    """A link of a pass."""

    link_id: str
    pass_no: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def add_many(
    conn: Connection, rows: Iterable[tuple[str, Sequence[int]]], *, created_at: datetime, expires_at: datetime
) -> None:
    """Store links: (link id, numbers of at most ten passes)."""
    made, ends = micros(created_at), micros(expires_at)
    told = (
        (f"{link_id}/{place}", number, made, ends) for link_id, numbers in rows for place, number in enumerate(numbers)
    )
    insert_many(conn, links, ("id", "pass_no", "created_at", "expires_at"), told)


def passes_of(conn: Connection, link_id: str, *, now: datetime) -> list[int]:
    """Return the passes that a link is for, in order; none if it has ended, was called back or never was."""
    ids = [f"{link_id}/{place}" for place in range(MOST_PASSES)]
    chosen = (links.c.id.in_(ids), links.c.expires_at > now, links.c.revoked_at.is_(None))
    return list(conn.execute(sa.select(links.c.pass_no).where(*chosen).order_by(links.c.id)).scalars())


def of_pass(conn: Connection, pass_no: int) -> list[LinkRow]:
    """Return the links of a pass, oldest first."""
    columns = (links.c.id, links.c.pass_no, links.c.created_at, links.c.expires_at, links.c.revoked_at)
    query = sa.select(*columns).where(links.c.pass_no == pass_no).order_by(links.c.created_at, links.c.id)
    return [LinkRow(row[0].partition("/")[0], *row[1:]) for row in conn.execute(query)]


def lasting(conn: Connection, pass_nos: Sequence[int], *, until: datetime) -> dict[int, str]:
    """Return pass number -> a link that is for this pass alone and lives until a moment, of those that have one."""
    if not pass_nos:
        return {}
    alone = links.c.id.like("%/0")
    second = links.alias()
    other = sa.func.substr(links.c.id, 1, sa.func.length(links.c.id) - 1).concat("1")
    shared = sa.exists(sa.select(second.c.id).where(second.c.id == other))
    chosen = links.c.pass_no.in_(sa.select(key_set(conn, pass_nos, kind=int).c.value))
    query = sa.select(links.c.pass_no, links.c.id).where(
        chosen, alone, links.c.expires_at > until, links.c.revoked_at.is_(None), ~shared
    )
    rows = conn.execute(query.order_by(links.c.expires_at, links.c.id))
    return {number: link_id.removesuffix("/0") for number, link_id in rows}


def revoke(conn: Connection, link_id: str, *, now: datetime) -> bool:
    """Call a link back; return whether it was open."""
    ids = [f"{link_id}/{place}" for place in range(MOST_PASSES)]
    return _revoke(conn, links.c.id.in_(ids), now) > 0


def revoke_of_pass(conn: Connection, pass_no: int, *, now: datetime) -> int:
    """Call back every link of a pass, for that pass; return how many were open."""
    return _revoke(conn, links.c.pass_no == pass_no, now)


def forget(conn: Connection, *, before: datetime) -> int:
    """Forget links that ended before a moment; return how many rows."""
    return conn.execute(sa.delete(links).where(links.c.expires_at < before)).rowcount


def _revoke(conn: Connection, condition: sa.ColumnElement[bool], now: datetime) -> int:
    statement = sa.update(links).where(condition, links.c.revoked_at.is_(None), links.c.expires_at > now)
    return conn.execute(statement.values(revoked_at=now)).rowcount

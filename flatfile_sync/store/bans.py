"""Strikes against addresses at the SFTP door, and the bans that came of them."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.domain.bans import Standing
from flatfile_sync.store.dialects import is_sqlite
from flatfile_sync.store.tables import door_strikes

_STANDING = [door_strikes.c[name] for name in Standing._fields]


def standing(conn: Connection, address: str) -> Standing | None:
    """Return what is held against an address; the row stays locked until the transaction ends."""
    query = sa.select(*_STANDING).where(door_strikes.c.address == address).with_for_update()
    row = conn.execute(query).first()
    return Standing._make(row) if row else None


def put(conn: Connection, address: str, now: Standing) -> None:
    """Remember how an address stands."""
    insert = (sqlite if is_sqlite(conn) else postgresql).insert(door_strikes)
    statement = insert.values(address=address, **now._asdict())
    conn.execute(statement.on_conflict_do_update(index_elements=[door_strikes.c.address], set_=now._asdict()))


def running(conn: Connection, *, now: datetime) -> dict[str, datetime]:
    """Return address -> end of every ban that runs."""
    query = sa.select(door_strikes.c.address, door_strikes.c.banned_until)
    return dict(conn.execute(query.where(door_strikes.c.banned_until > now).order_by(door_strikes.c.address)).all())


def lift(conn: Connection, address: str) -> bool:
    """Forget what is held against an address; return whether anything was."""
    return conn.execute(sa.delete(door_strikes).where(door_strikes.c.address == address)).rowcount == 1


def forget(conn: Connection, *, now: datetime, before: datetime) -> int:
    """Forget strikes before a moment whose bans are over; return how many addresses."""
    over = door_strikes.c.banned_until.is_(None) | (door_strikes.c.banned_until <= now)
    return conn.execute(sa.delete(door_strikes).where(over, door_strikes.c.struck_at < before)).rowcount

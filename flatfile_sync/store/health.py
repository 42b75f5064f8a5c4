"""What a database says about itself, for `doctor`."""

import sqlite3
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.failures import TemporaryFailure
from flatfile_sync.domain.states import DropState
from flatfile_sync.store import counters
from flatfile_sync.store.database import Store
from flatfile_sync.store.dialects import is_sqlite
from flatfile_sync.store.migrate import current_revision
from flatfile_sync.store.tables import accounts, drops


class Vitals(NamedTuple):
    """Facts of one moment. `clock` is the server's; `damage` what an integrity check found (SQLite), None if sound.

    `newest` is when the newest drop was received: a wall clock before it has gone back.
    """

    server: str
    revision: str | None
    epoch: int
    clock: datetime
    damage: str | None
    newest: datetime | None
    stuck: int
    held: int
    account_projects: dict[str, str]


def sqlite_library() -> str:
    """Return the version of the SQLite that this Python brings."""
    return sqlite3.sqlite_version


def look(store: Store) -> Vitals:
    """Return how a database is doing. Raises `TemporaryFailure` if it is too damaged to say so."""
    try:
        return store.read_now(vitals)
    except sa.exc.DBAPIError as error:
        raise TemporaryFailure(f"the database cannot be read: {error.orig}; restore a backup.") from error


def vitals(conn: Connection) -> Vitals:
    """Return how a database at our revision is doing; on SQLite its file is read from end to end."""
    lite = is_sqlite(conn)
    server = conn.exec_driver_sql("SELECT sqlite_version()" if lite else "SHOW server_version").scalar_one()
    # Days since 4714 BC, of which 2440587.5 had passed in 1970.
    days = "SELECT (julianday('now') - 2440587.5) * 86400.0"
    clock = days if lite else "SELECT extract(epoch FROM clock_timestamp())"
    checked = conn.exec_driver_sql("PRAGMA quick_check(3)").scalars().all() if lite else ["ok"]
    return Vitals(
        server=f"{'SQLite' if lite else 'PostgreSQL'} {server}",
        revision=current_revision(conn),
        epoch=counters.current(conn, "epoch"),
        clock=datetime.fromtimestamp(float(conn.exec_driver_sql(clock).scalar_one()), UTC),
        damage=None if checked == ["ok"] else "; ".join(checked),
        newest=conn.execute(sa.select(sa.func.max(drops.c.received_at))).scalar_one_or_none(),
        stuck=_count(conn, drops.c.stuck),
        held=_count(conn, drops.c.state == DropState.HELD),
        account_projects=dict(
            conn.execute(sa.select(accounts.c.name, accounts.c.project).where(accounts.c.disabled_at.is_(None))).all()
        ),
    )


def _count(conn: Connection, condition: sa.ColumnElement[bool]) -> int:
    return int(conn.execute(sa.select(sa.func.count()).select_from(drops).where(condition)).scalar_one())

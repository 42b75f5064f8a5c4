"""Named numbers that only rise."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.store.tables import counters


def advance(conn: Connection, name: str, *, by: int = 1) -> int:
    """Raise a counter and return its new value; the row stays locked until the commit, so order is commit order."""
    statement = sa.update(counters).where(counters.c.name == name).values(value=counters.c.value + by)
    return int(conn.execute(statement.returning(counters.c.value)).scalar_one())


def current(conn: Connection, name: str, *, share: bool = False) -> int:
    """Return a counter; with `share` nobody can raise it before this transaction ends (PostgreSQL)."""
    statement = sa.select(counters.c.value).where(counters.c.name == name)
    return int(conn.execute(statement.with_for_update(read=True) if share else statement).scalar_one())


def raise_to(conn: Connection, name: str, value: int) -> bool:
    """Raise a counter to a value, made if it is missing, and return whether it stood lower; one of two wins."""
    insert = (postgresql if conn.dialect.name == "postgresql" else sqlite).insert(counters)
    conn.execute(insert.values(name=name, value=-1).on_conflict_do_nothing())
    statement = sa.update(counters).where(counters.c.name == name, counters.c.value < value).values(value=value)
    return conn.execute(statement).rowcount == 1

"""Calls to a platform: one row each, shared by all deliveries it carried."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import key_set
from flatfile_sync.store.tables import attempts, deliveries


def begin(conn: Connection, platform: str, ids: Sequence[int], *, epoch: int, now: datetime) -> int:
    """Note that a call with these deliveries is about to be made and return its number."""
    values = {"platform": platform, "epoch": epoch, "deliveries": len(ids), "started_at": now}
    attempt = conn.execute(sa.insert(attempts).values(**values).returning(attempts.c.id)).scalar_one()
    chosen = deliveries.c.id.in_(sa.select(key_set(conn, ids, kind=int).c.value))
    conn.execute(sa.update(deliveries).where(chosen).values(attempt_id=attempt))
    return int(attempt)


def end(conn: Connection, attempt: int, *, result: str, detail: str | None, now: datetime) -> None:
    """Note how a call ended: ok, temporary or permanent. One that never ended is unknown."""
    statement = sa.update(attempts).where(attempts.c.id == attempt)
    conn.execute(statement.values(result=result, detail=detail, ended_at=now))

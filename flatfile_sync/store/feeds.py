"""What a feed applied last: the memory behind `duplicate`."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.drop import Drop
from flatfile_sync.store.tables import feed_states


class LastApplied(NamedTuple):
    """The feed's last applied drop and the sha256 of its content."""

    drop_id: str
    sha256: str
    seq: int


def last_applied(conn: Connection, project: str, feed: str) -> LastApplied | None:
    """Return what the feed applied last, or None."""
    table = feed_states.c
    query = sa.select(table.last_drop_id, table.last_sha256, table.last_seq)
    row = conn.execute(query.where(table.project == project, table.feed == feed)).first()
    return LastApplied._make(row) if row else None


def applied(conn: Connection, drop: Drop, *, now: datetime) -> None:
    """Remember a drop as the feed's last applied one."""
    table = feed_states.c
    conn.execute(sa.delete(feed_states).where(table.project == drop.project, table.feed == drop.feed))
    conn.execute(
        sa.insert(feed_states).values(
            project=drop.project,
            feed=drop.feed,
            last_drop_id=drop.id,
            last_seq=drop.seq,
            last_sha256=drop.content_sha256,
            last_applied_at=now,
        )
    )

"""Who did what and when; never a value of a `pii` field."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.tables import audit


def record(conn: Connection, *, at: datetime, actor: str, event: str, details: Mapping[str, object]) -> None:
    """Add one line to the trail."""
    conn.execute(sa.insert(audit).values(at=at, actor=actor, event=event, details=dict(details)))


def events(conn: Connection, event: str) -> list[Mapping[str, object]]:
    """Return the details of all events of a kind, oldest first."""
    return list(conn.execute(sa.select(audit.c.details).where(audit.c.event == event).order_by(audit.c.id)).scalars())

"""Whether the files that were announced have come."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.audit import record
from flatfile_sync.store.tables import accounts, audit, drops

MISSED = "expected_missed"


def projects_since(conn: Connection) -> dict[str, datetime]:
    """Return project -> moment from which an account of it could deliver; projects without one are not expected."""
    query = (
        sa.select(accounts.c.project, sa.func.min(accounts.c.created_at))
        .where(accounts.c.disabled_at.is_(None))
        .group_by(accounts.c.project)
    )
    return dict(conn.execute(query).all())


def has_come(conn: Connection, project: str, feed: str, *, since: datetime) -> bool:
    """Return whether a feed has received a drop (no dry run) since a moment."""
    newest = sa.select(drops.c.received_at).where(drops.c.project == project, drops.c.feed == feed, ~drops.c.dry_run)
    received = conn.execute(newest.order_by(drops.c.seq.desc()).limit(1)).scalar_one_or_none()
    return received is not None and received >= since


def note_missed(conn: Connection, project: str, feed: str, *, deadline: datetime, now: datetime) -> bool:
    """Write into the audit that a feed's file has not come by its deadline; return False if that stands there."""
    details = {"project": project, "feed": feed, "deadline": deadline.isoformat()}
    noted = conn.execute(sa.select(audit.c.details).where(audit.c.event == MISSED, audit.c.at >= deadline)).scalars()
    if details in noted.all():
        return False
    record(conn, at=now, actor="calendar", event=MISSED, details=details)
    return True

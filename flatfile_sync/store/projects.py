"""Project versions that drops are pinned to."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.tables import projects


def pin(conn: Connection, *, version: str, project: str, document: bytes, now: datetime) -> None:
    """Keep a version's canonical document, once."""
    if conn.execute(sa.select(projects.c.version).where(projects.c.version == version)).first() is None:
        conn.execute(sa.insert(projects).values(version=version, project=project, document=document, seen_at=now))


def document(conn: Connection, version: str) -> bytes:
    """Return the document of a pinned version."""
    return bytes(conn.execute(sa.select(projects.c.document).where(projects.c.version == version)).scalar_one())

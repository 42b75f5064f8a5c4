"""What a partner may fetch: one row per name in an account's outbox or archive; the bytes are a blob."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.tables import artefacts


class Artefact(NamedTuple):
    """One file of an outbox or archive; `feed` is the folder, empty for the zone itself."""

    account: str
    zone: str
    feed: str
    name: str
    blob: str
    size: int
    sha256: str | None
    drop_id: str | None
    created_at: datetime


_COLUMNS = [artefacts.c[name] for name in Artefact._fields]


def upsert(conn: Connection, artefact: Artefact) -> str | None:
    """Show an artefact, replacing one of that name; return the blob that no row names any more, if any."""
    old = find(conn, artefact.account, artefact.zone, artefact.feed, artefact.name)
    if old is None:
        conn.execute(sa.insert(artefacts).values(**artefact._asdict()))
        return None
    conn.execute(sa.update(artefacts).where(_key(*artefact[:4])).values(**artefact._asdict()))
    return old.blob if old.blob != artefact.blob else None


def find(conn: Connection, account: str, zone: str, feed: str, name: str) -> Artefact | None:
    """Return an artefact, or None."""
    row = conn.execute(sa.select(*_COLUMNS).where(_key(account, zone, feed, name))).first()
    return Artefact._make(row) if row else None


def listing(conn: Connection, account: str, zone: str, feed: str) -> list[Artefact]:
    """Return what a folder shows, by name."""
    query = sa.select(*_COLUMNS).where(
        artefacts.c.account == account, artefacts.c.zone == zone, artefacts.c.feed == feed
    )
    return [Artefact._make(row) for row in conn.execute(query.order_by(artefacts.c.name))]


def of_drop(conn: Connection, drop_id: str) -> list[Artefact]:
    """Return a drop's artefacts, by name."""
    query = sa.select(*_COLUMNS).where(artefacts.c.drop_id == drop_id).order_by(artefacts.c.name)
    return [Artefact._make(row) for row in conn.execute(query)]


def delete(conn: Connection, account: str, zone: str, feed: str, name: str) -> bool:
    """Remove an artefact's name; return whether there was one. Its bytes go with the next sweep."""
    return conn.execute(sa.delete(artefacts).where(_key(account, zone, feed, name))).rowcount == 1


def _key(account: str, zone: str, feed: str, name: str) -> sa.ColumnElement[bool]:
    return (
        (artefacts.c.account == account)
        & (artefacts.c.zone == zone)
        & (artefacts.c.feed == feed)
        & (artefacts.c.name == name)
    )

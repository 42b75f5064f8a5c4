"""Nonces of platforms' callbacks: each counts once."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import is_sqlite
from flatfile_sync.store.wallet_tables import nonces


def take(conn: Connection, nonce: str, *, now: datetime) -> bool:
    """Return whether a nonce is new, and remember it."""
    insert = (sqlite if is_sqlite(conn) else postgresql).insert(nonces)
    statement = insert.values(nonce=nonce, seen_at=now).on_conflict_do_nothing().returning(nonces.c.nonce)
    return conn.execute(statement).first() is not None


def forget(conn: Connection, *, before: datetime) -> int:
    """Forget nonces seen before a moment, when their callbacks have long expired; return how many."""
    return conn.execute(sa.delete(nonces).where(nonces.c.seen_at < before)).rowcount

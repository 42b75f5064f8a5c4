"""The messages that a holder got, whatever platform they came on: what a feed's cap counts."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import key_set
from flatfile_sync.store.wallet_tables import notices

_HOLDER: Final = "holder"
"""Stands where a platform's own ledger has the platform."""


def of_passes(conn: Connection, pass_nos: Sequence[int]) -> dict[int, dict[str, datetime]]:
    """Return pass number -> name of a message -> when it went."""
    found: dict[int, dict[str, datetime]] = defaultdict(dict)
    if pass_nos:
        chosen = notices.c.pass_no.in_(sa.select(key_set(conn, pass_nos).c.value))
        query = sa.select(notices.c.pass_no, notices.c.key, notices.c.at)
        for number, key, at in conn.execute(query.where(notices.c.platform == _HOLDER, chosen)):
            found[number][key] = at
    return found


def note_many(conn: Connection, rows: Sequence[tuple[int, str]], *, now: datetime, keep_from: datetime) -> None:
    """Count messages (pass number, name) as sent, each once; forget of these passes what is older than `keep_from`."""
    if not rows:
        return
    passes = sa.select(key_set(conn, sorted({number for number, _ in rows})).c.value)
    old = (notices.c.platform == _HOLDER) & (notices.c.at < keep_from)
    conn.execute(sa.delete(notices).where(old, notices.c.pass_no.in_(passes)))
    told = [{"pass_no": number, "platform": _HOLDER, "key": key, "at": now} for number, key in rows]
    conn.execute(sa.insert(notices), told)

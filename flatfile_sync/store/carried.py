"""The message that a pass carries: the last one, numbered, so that an equal text is still a change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import is_sqlite, key_set
from flatfile_sync.store.wallet_tables import carried_messages


class Carried(NamedTuple):
    """Language -> text ("" = of no language), the number of the message, and its name."""

    texts: dict[str, str]
    number: int
    key: str = ""


def of_passes(conn: Connection, pass_nos: Sequence[int]) -> dict[int, Carried]:
    """Return pass number -> message, of those that carry one."""
    if not pass_nos:
        return {}
    columns = (carried_messages.c.pass_no, *(carried_messages.c[name] for name in Carried._fields))
    chosen = carried_messages.c.pass_no.in_(sa.select(key_set(conn, pass_nos).c.value))
    rows = conn.execute(sa.select(*columns).where(chosen))
    return {number: Carried(orjson.loads(texts), count, key) for number, texts, count, key in rows}


def carry_many(conn: Connection, messages: Mapping[int, Carried], *, now: datetime) -> None:
    """Let passes carry a message each, by pass number, instead of what they carried before."""
    if not messages:
        return
    insert = (sqlite if is_sqlite(conn) else postgresql).insert(carried_messages)
    fresh = {name: insert.excluded[name] for name in (*Carried._fields, "at")}
    rows = [
        {"pass_no": no, "texts": orjson.dumps(told.texts).decode(), "number": told.number, "key": told.key, "at": now}
        for no, told in sorted(messages.items())
    ]
    conn.execute(insert.on_conflict_do_update(index_elements=["pass_no"], set_=fresh), rows)

"""The message that an Apple pass carries: the last one, numbered, so that an equal text is still a change."""

from collections.abc import Sequence
from typing import NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import key_set
from flatfile_sync.store.wallet_tables import carried_messages


class Carried(NamedTuple):
    """Language -> text ("" = of no language), and the number of the message."""

    texts: dict[str, str]
    number: int


def of_passes(conn: Connection, pass_nos: Sequence[int]) -> dict[int, Carried]:
    """Return pass number -> message, of those that carry one."""
    if not pass_nos:
        return {}
    columns = (carried_messages.c.pass_no, carried_messages.c.texts, carried_messages.c.number)
    chosen = carried_messages.c.pass_no.in_(sa.select(key_set(conn, pass_nos).c.value))
    rows = conn.execute(sa.select(*columns).where(chosen))
    return {number: Carried(orjson.loads(texts), count) for number, texts, count in rows}

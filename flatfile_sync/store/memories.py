"""What a wallet platform asked to be reminded of, by pass: JSON that only the platform reads."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import is_sqlite, join_outwards, key_set
from flatfile_sync.store.wallet_tables import platform_memories


def of_passes(conn: Connection, platform: str, pass_nos: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return pass number -> memory, of those that have one."""
    if not pass_nos:
        return {}
    keys = key_set(conn, pass_nos)
    query = join_outwards(conn, keys, platform_memories, platform_memories.c.pass_no == keys.c.value)
    rows = conn.execute(
        query.where(platform_memories.c.platform == platform).add_columns(
            platform_memories.c.pass_no, platform_memories.c.memory
        )
    )
    return {number: orjson.loads(memory) for number, memory in rows}


def keep_many(conn: Connection, platform: str, memories: Mapping[int, Mapping[str, Any]]) -> None:
    """Remember, by pass number; what was remembered before is replaced."""
    if not memories:
        return
    insert = (sqlite if is_sqlite(conn) else postgresql).insert(platform_memories)
    statement = insert.on_conflict_do_update(
        index_elements=["pass_no", "platform"], set_={"memory": insert.excluded.memory}
    )
    rows = [
        {"pass_no": number, "platform": platform, "memory": orjson.dumps(memory, option=orjson.OPT_SORT_KEYS).decode()}
        for number, memory in sorted(memories.items())
    ]
    conn.execute(statement, rows)

"""Chunks of a drop: planned, then applied with the name of their verdict file."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.drop import Chunk
from flatfile_sync.domain.failures import LostTurnError
from flatfile_sync.store.tables import chunks

_FIELDS = (
    chunks.c.drop_id,
    chunks.c.no,
    chunks.c.kind,
    chunks.c.records,
    chunks.c.plan_file,
    chunks.c.verdict_file,
    chunks.c.verdict_sha256,
)


def insert_many(conn: Connection, planned: Sequence[Chunk]) -> None:
    """Store the chunks of a planned drop."""
    if planned:
        rows = [
            {"drop_id": c.drop_id, "no": c.no, "kind": c.kind, "records": c.records, "plan_file": c.plan_file}
            for c in planned
        ]
        conn.execute(sa.insert(chunks), rows)


def of_drop(conn: Connection, drop_id: str) -> list[Chunk]:
    """Return a drop's chunks in order."""
    rows = conn.execute(sa.select(*_FIELDS).where(chunks.c.drop_id == drop_id).order_by(chunks.c.no))
    return [Chunk(**row) for row in rows.mappings()]


def commit(conn: Connection, chunk: Chunk, *, verdict_file: str, verdict_sha256: str, now: datetime) -> None:
    """Name the verdict file that counts for a chunk; a chunk is committed once."""
    statement = (
        sa.update(chunks)
        .where(chunks.c.drop_id == chunk.drop_id, chunks.c.no == chunk.no, chunks.c.verdict_file.is_(None))
        .values(verdict_file=verdict_file, verdict_sha256=verdict_sha256, applied_at=now)
    )
    if conn.execute(statement).rowcount != 1:
        raise LostTurnError(f"Chunk {chunk.no} of drop {chunk.drop_id} was committed by somebody else.")


def delete_of_drop(conn: Connection, drop_id: str) -> None:
    """Forget a drop's chunks."""
    conn.execute(sa.delete(chunks).where(chunks.c.drop_id == drop_id))

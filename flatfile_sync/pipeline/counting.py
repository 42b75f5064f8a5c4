"""Counts of what really happened: a transaction that is taken back counts for nothing."""

from functools import partial

from sqlalchemy.engine import Connection

from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store.database import after_commit


def count(conn: Connection, figure: Figure, *labels: str, kit: Kit, by: int = 1) -> None:
    """Count once this transaction has committed."""
    if by:
        after_commit(conn, partial(kit.tally.add, figure, *labels, by=by))

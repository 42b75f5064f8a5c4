"""What is old enough to go, and what nobody names any more."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.states import DropState, UploadState, UploadVerdict
from flatfile_sync.store.dialects import join_outwards, key_set
from flatfile_sync.store.tables import accounts, artefacts, drops, uploads


class Expired(NamedTuple):
    """The key of an artefact and the blob it named."""

    account: str
    zone: str
    feed: str
    name: str
    blob: str


def projects_of_accounts(conn: Connection) -> dict[str, str]:
    """Return account -> project, of every account that has artefacts or uploads; empty = the account is gone."""
    named = sa.union(sa.select(artefacts.c.account), sa.select(uploads.c.account)).subquery()
    query = sa.select(named.c.account, sa.func.coalesce(accounts.c.project, "")).select_from(
        named.outerjoin(accounts, accounts.c.name == named.c.account)
    )
    return dict(conn.execute(query).all())


def take_artefacts(conn: Connection, account: str, zone: str, *, before: datetime, limit: int) -> list[Expired]:
    """Remove the oldest artefacts of an account's zone made before a moment, `limit` at most, and return them."""
    query = (
        sa.select(*(artefacts.c[name] for name in Expired._fields))
        .where(artefacts.c.account == account, artefacts.c.zone == zone, artefacts.c.created_at < before)
        .order_by(artefacts.c.created_at)
        .limit(limit)
    )
    found = [Expired._make(row) for row in conn.execute(query)]
    if found:
        key = (artefacts.c[name] == sa.bindparam(f"old_{name}") for name in Expired._fields[:4])
        keys = [{f"old_{name}": getattr(row, name) for name in Expired._fields[:4]} for row in found]
        conn.execute(sa.delete(artefacts).where(*key), keys)
    return found


def take_abandoned(conn: Connection, account: str, *, before: datetime, limit: int) -> list[str]:
    """Remove an account's uploads that were abandoned before a moment, `limit` at most, and return their blobs."""
    query = (
        sa.select(uploads.c.id, uploads.c.blob)
        .where(
            uploads.c.account == account,
            uploads.c.verdict == UploadVerdict.ABANDONED,
            sa.func.coalesce(uploads.c.closed_at, uploads.c.opened_at) < before,
        )
        .limit(limit)
    )
    found = conn.execute(query).all()
    conn.execute(sa.delete(uploads).where(uploads.c.id.in_([upload_id for upload_id, _ in found])))
    return [blob for _, blob in found]


def unnamed_blobs(conn: Connection, blobs: Sequence[str], *, settled_since: datetime) -> list[str]:
    """Return those of the blobs that nothing needs.

    Needed is what an artefact names, an upload that has no verdict yet or may be resumed, a drop (or its parts) that
    is not settled, or was settled since the given moment.
    """
    if not blobs:
        return []
    under_way = (drops.c.state != DropState.SETTLED) | (drops.c.settled_at >= settled_since)
    open_to_client = (uploads.c.state != UploadState.DONE) | (uploads.c.verdict == UploadVerdict.ABANDONED)
    needed = [
        _named(conn, blobs, artefacts, artefacts.c.blob, sa.true()),
        _named(conn, blobs, uploads, uploads.c.blob, open_to_client),
        _named(conn, blobs, drops, drops.c.blob, under_way),
        _named(conn, blobs, uploads, uploads.c.blob, uploads.c.drop_id.in_(sa.select(drops.c.id).where(under_way))),
    ]
    kept: set[str] = set(conn.scalars(sa.union(*needed)))
    return [blob for blob in blobs if blob not in kept]


def unneeded_work(conn: Connection, drop_ids: Sequence[str]) -> list[str]:
    """Return those of the drops that are settled, or that there are not."""
    if not drop_ids:
        return []
    keys = key_set(conn, drop_ids)
    query = join_outwards(conn, keys, drops, drops.c.id == keys.c.value).where(drops.c.state != DropState.SETTLED)
    kept = set(conn.execute(query.add_columns(drops.c.id)).scalars())
    return [drop_id for drop_id in drop_ids if drop_id not in kept]


def _named(
    conn: Connection, blobs: Sequence[str], table: sa.Table, column: sa.Column[str], condition: sa.ColumnElement[bool]
) -> sa.Select[str]:
    # From the table inwards: no index leads from a blob to its rows, and there are far fewer rows than comparisons.
    return sa.select(column).select_from(table).where(column.in_(sa.select(key_set(conn, blobs).c.value)), condition)

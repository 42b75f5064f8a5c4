"""Uploads: what the door saw under one name; each leaves with exactly one verdict."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.drop import Upload
from flatfile_sync.domain.states import UploadState, UploadVerdict
from flatfile_sync.store.tables import uploads

_FIELDS = [uploads.c[name] for name in Upload.__dataclass_fields__]
_OPEN = uploads.c.state.in_((UploadState.WRITING, UploadState.CLOSED))
# A client asks how much of a broken upload is there before it goes on; `forget_abandoned` ends that.
_RESUMABLE = (uploads.c.verdict == UploadVerdict.ABANDONED) & uploads.c.listed_until.is_(None)


def insert(conn: Connection, upload: Upload) -> None:
    """Store an upload."""
    conn.execute(sa.insert(uploads).values(**asdict(upload)))


def by_id(conn: Connection, upload_id: str) -> Upload | None:
    """Return an upload by its id, or None."""
    return _one(conn, uploads.c.id == upload_id)


def current(conn: Connection, account: str, zone: str, feed: str | None, name: str) -> Upload | None:
    """Return the upload that still answers to the name: writing or closed, not yet taken."""
    return _one(conn, _place(account, zone, feed) & (uploads.c.name == name) & _OPEN)


def ghost(conn: Connection, account: str, zone: str, feed: str | None, name: str, *, now: datetime) -> Upload | None:
    """Return a finished upload that clients may still look at, or None."""
    return _one(conn, _place(account, zone, feed) & (uploads.c.name == name) & (uploads.c.listed_until > now))


def closed(conn: Connection, account: str, zone: str, feed: str | None, name: str, *, besides: str) -> Upload | None:
    """Return another upload of the name that was closed and not yet taken, or None."""
    condition = (uploads.c.name == name) & (uploads.c.state == UploadState.CLOSED) & (uploads.c.id != besides)
    return _one(conn, _place(account, zone, feed) & condition)


def abandoned(conn: Connection, account: str, zone: str, feed: str | None, name: str) -> Upload | None:
    """Return the newest abandoned upload of the name that may be resumed, or None."""
    return _one(conn, _place(account, zone, feed) & (uploads.c.name == name) & _RESUMABLE)


def forget_abandoned(conn: Connection, account: str, zone: str, feed: str | None, name: str, *, now: datetime) -> bool:
    """Show and resume abandoned uploads of the name no more; return whether there were any."""
    chosen = _place(account, zone, feed) & (uploads.c.name == name) & _RESUMABLE
    return conn.execute(sa.update(uploads).where(chosen).values(listed_until=now)).rowcount > 0


def listing(conn: Connection, account: str, zone: str, feed: str | None, *, now: datetime) -> list[Upload]:
    """Return what a folder shows: uploads under way, closed, abandoned ones, and ghosts; the newest of each name."""
    query = (
        sa.select(*_FIELDS)
        .where(_place(account, zone, feed), _OPEN | _RESUMABLE | (uploads.c.listed_until > now))
        .order_by(uploads.c.opened_at)
    )
    newest = {row["name"]: _upload(row) for row in conn.execute(query).mappings()}
    return [newest[name] for name in sorted(newest)]


def recent(
    conn: Connection, *, limit: int = 50, state: UploadState | None = None, feed: str | None = None
) -> list[Upload]:
    """Return the newest uploads of all accounts, newest first, narrowed by what is not None; `feed` is the folder."""
    query = sa.select(*_FIELDS).order_by(uploads.c.opened_at.desc()).limit(limit)
    for column, wanted in ((uploads.c.state, state), (uploads.c.feed, feed)):
        if wanted is not None:
            query = query.where(column == wanted)
    return [_upload(row) for row in conn.execute(query).mappings()]


def change(conn: Connection, upload_id: str, **values: Any) -> None:
    """Change an upload's particulars."""
    conn.execute(sa.update(uploads).where(uploads.c.id == upload_id).values(**values))


def settle(
    conn: Connection,
    upload_id: str,
    *,
    verdict: UploadVerdict,
    reason: str | None = None,
    listed_until: datetime | None = None,
) -> bool:
    """Give an upload its verdict, once; return whether it had none."""
    statement = (
        sa.update(uploads)
        .where(uploads.c.id == upload_id, uploads.c.verdict.is_(None))
        .values(state=UploadState.DONE, verdict=verdict, reason=reason, listed_until=listed_until)
    )
    return conn.execute(statement).rowcount == 1


def writing(conn: Connection) -> list[Upload]:
    """Return what clients have open, oldest first."""
    query = sa.select(*_FIELDS).where(uploads.c.state == UploadState.WRITING).order_by(uploads.c.opened_at)
    return [_upload(row) for row in conn.execute(query).mappings()]


def _place(account: str, zone: str, feed: str | None) -> sa.ColumnElement[bool]:
    return (uploads.c.account == account) & (uploads.c.zone == zone) & (uploads.c.feed.is_not_distinct_from(feed))


def _one(conn: Connection, condition: sa.ColumnElement[bool]) -> Upload | None:
    query = sa.select(*_FIELDS).where(condition).order_by(uploads.c.opened_at.desc()).limit(1)
    row = conn.execute(query).mappings().first()
    return _upload(row) if row else None


def _upload(row: sa.RowMapping) -> Upload:
    values: dict[str, Any] = {str(key): value for key, value in row.items()}
    values["state"] = UploadState(values["state"])
    values["verdict"] = values["verdict"] and UploadVerdict(values["verdict"])
    return Upload(**values)

"""Receive: what a client does with a file, made durable before it is answered. Knows no protocol.

An upload begins at open and is `closed` by an explicit close whose every write was good; the drop is committed with
it, due when the feed's settle time has passed. Until it is claimed the client may still change its mind.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.drop import LISTED_AFTER, Drop, Upload
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.failures import LostTurnError, Refused
from flatfile_sync.domain.naming import FORCE, is_temporary, rejects_parent, result_name
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.domain.states import Decision, DropState, DropVerdict, UploadState, UploadVerdict
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline.ack import PreparedAck, commit_ack, commit_refusal, prepare_ack, prepare_refusal
from flatfile_sync.pipeline.counting import count
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.opening import outermost
from flatfile_sync.store import audit, counters, drops, uploads
from flatfile_sync.store.accounts import Account
from flatfile_sync.store.database import Priority

DRY_RUN: Final = "dryrun"
# The file contract, section 4: a last record without its line end waits three times longer.
_UNENDED: Final = 3
ACCEPTED: Final = "already accepted, see the outbox"
BUSY: Final = "another upload of this name is under way"
NO_FEED: Final = "no feed takes a file of this name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a name stands: zone, the feed's folder (None = the zone itself) and the name."""

    zone: str
    folder: str | None
    name: str


async def look(account: Account, place: Place, *, kit: Kit) -> Upload | None:
    """Return the upload a client sees under a name: under way, closed, abandoned, or finished a short while ago."""
    key = (account.name, place.zone, place.folder, place.name)
    now = kit.clock()

    def find(conn: Connection) -> Upload | None:
        return uploads.current(conn, *key) or uploads.abandoned(conn, *key) or uploads.ghost(conn, *key, now=now)

    return await kit.store.read(find)


async def begin(account: Account, place: Place, *, resume: bool, kit: Kit) -> tuple[Upload, int]:
    """Return a new upload and its descriptor; with `resume` the one that was closed or abandoned under that name.

    Raises `Refused` if another upload of the name is under way, or if it was claimed and cannot be resumed.
    """
    now = kit.clock()
    known = await kit.store.read(lambda conn: uploads.current(conn, account.name, place.zone, place.folder, place.name))
    if known is not None and known.state is UploadState.WRITING:
        raise Refused(BUSY)
    if resume:
        return await _resume(account, place, known, kit=kit)
    upload = Upload(
        id=uuid4().hex,
        account=account.name,
        zone=place.zone,
        feed=place.folder,
        name=place.name,
        blob=uuid4().hex,
        state=UploadState.WRITING,
        modified_at=now,
        opened_at=now,
    )
    descriptor = await asyncio.to_thread(kit.spool.create, upload.blob)
    await kit.store.write(lambda conn: uploads.insert(conn, upload), priority=Priority.DOOR)
    return upload, descriptor


async def _resume(account: Account, place: Place, known: Upload | None, *, kit: Kit) -> tuple[Upload, int]:
    """Go on with an upload that was closed but not claimed, or abandoned: the drop it had made is taken back."""
    if known is None:
        place_of = (account.name, place.zone, place.folder, place.name)
        known = await kit.store.read(lambda conn: uploads.abandoned(conn, *place_of))
    if known is None:
        raise Refused(ACCEPTED)
    source = known

    def reopen(conn: Connection) -> None:
        if source.drop_id is not None:
            drops.take_back(conn, source.drop_id)
        values = {"verdict": None, "reason": None, "drop_id": None, "closed_at": None}
        uploads.change(conn, source.id, state=UploadState.WRITING, **values)

    # The tables first: after a kill in between, the upload is one that was abandoned while it was written.
    await kit.store.write(reopen, priority=Priority.DOOR)
    descriptor = await asyncio.to_thread(kit.spool.resume, source.blob)
    return replace(source, state=UploadState.WRITING, verdict=None, drop_id=None), descriptor


async def close(
    account: Account, upload: Upload, descriptor: int, *, size: int, sha256: str | None, ended: bool, kit: Kit
) -> Upload:
    """Make an upload durable, commit it with its drop, and return it; only then the client may hear OK.

    `ended` says whether the last byte is a line end. Bytes first, then the acknowledgement's bytes, then one commit.
    """
    await asyncio.to_thread(kit.spool.keep, upload.blob, descriptor)
    now = kit.clock()
    closed = replace(upload, state=UploadState.CLOSED, size=size, sha256=sha256, closed_at=now)
    return await _hand_over(account, closed, ended=ended, kit=kit)


async def rename(account: Account, place: Place, to: Place, *, kit: Kit) -> None:
    """Give a closed upload another name; a final name hands it over. Raises `Refused` where it cannot be."""
    known = await kit.store.read(lambda conn: uploads.current(conn, account.name, place.zone, place.folder, place.name))
    if known is None:
        raise Refused(ACCEPTED)
    if known.state is UploadState.WRITING:
        raise Refused(BUSY)
    if place.zone != to.zone:
        raise Refused("a file stays in the zone it was put in")
    descriptor = await asyncio.to_thread(kit.spool.open, known.blob)
    try:
        ended = await asyncio.to_thread(kit.spool.ends_with_newline, descriptor)
    finally:
        await asyncio.to_thread(kit.spool.close, descriptor)
    moved = replace(known, feed=to.folder, name=to.name, renamed=True, drop_id=None)
    await _hand_over(account, moved, ended=ended, kit=kit, before=known)


async def remove(account: Account, place: Place, *, kit: Kit) -> None:
    """Take a closed upload back before it is claimed. Raises `Refused` if it is being written or was accepted."""
    key = (account.name, place.zone, place.folder, place.name)

    def work(conn: Connection) -> None:
        known = uploads.current(conn, *key)
        if known is None and uploads.forget_abandoned(conn, *key, now=kit.clock()):
            return
        if known is None:
            raise Refused(ACCEPTED)
        if known.state is UploadState.WRITING:
            raise Refused(BUSY)
        _cancel(conn, known, UploadVerdict.CANCELLED, "removed", kit=kit)
        details = {"upload": known.id, "name": known.name}
        audit.record(conn, at=kit.clock(), actor=account.name, event="upload_removed", details=details)

    await kit.store.write(work, priority=Priority.DOOR)


async def abandon(upload: Upload, *, size: int, reason: str, kit: Kit) -> None:
    """Give an upload up that did not end well: kept for resume for a while, never ingested; an ack says so."""
    ended = replace(upload, size=size)
    # Under a temporary name nobody waits for an answer yet.
    ack = None
    if not is_temporary(upload.name):
        ack = await prepare_refusal(ended, Decision.ABANDONED, why=reason, kit=kit)

    def work(conn: Connection) -> None:
        if not uploads.settle(conn, upload.id, verdict=UploadVerdict.ABANDONED, reason=reason):
            return
        uploads.change(conn, upload.id, size=size)
        if ack is not None:
            commit_refusal(conn, ack, ended)
        count(conn, Figure.UPLOADS, UploadVerdict.ABANDONED, kit=kit)
        details = {"upload": upload.id, "name": upload.name, "reason": reason, "bytes": size}
        audit.record(conn, at=kit.clock(), actor=upload.account, event="upload_abandoned", details=details)

    await kit.store.write(work, priority=Priority.DOOR)


async def abandon_left(*, kit: Kit) -> int:
    """Give up what an earlier daemon's clients had open; return how many."""
    left = await kit.store.read(uploads.writing)
    for upload in left:
        size = await asyncio.to_thread(kit.spool.size, upload.blob)
        await abandon(upload, size=size, reason="the server was restarted", kit=kit)
    return len(left)


async def _hand_over(
    account: Account, upload: Upload, *, ended: bool, kit: Kit, before: Upload | None = None
) -> Upload:
    project = kit.projects.current(account.project)
    parent = await kit.store.read(lambda conn: _parent(conn, account, upload.name))
    feed = _feed(project, account, upload, parent)
    drop: Drop | None = None
    ack: PreparedAck | None = None
    if feed is not None and not is_temporary(upload.name):
        layers = await outermost(upload.blob, kit=kit)
        # The end of a packed file is known by its own marks, not by a line end.
        drop = _drop(account, upload, feed, parent, ended=ended or bool(layers), now=kit.clock())
        if layers:
            drop = replace(drop, summary={"layers": list(layers)})
        ack = await prepare_ack(drop, Decision.QUEUED, kit=kit)
        upload = replace(upload, drop_id=drop.id)
    elif not is_temporary(upload.name):
        ack = await prepare_refusal(upload, Decision.IGNORED, why=NO_FEED, kit=kit)
    closed, made, noted = upload, drop, ack

    def commit(conn: Connection) -> Upload:
        stored = _commit(conn, closed, made, noted, kit=kit, before=before)
        faults.point("receive.before_commit")
        return stored

    result = await kit.store.write(commit, priority=Priority.DOOR)
    faults.point("receive.committed")
    return result


def _commit(
    conn: Connection, upload: Upload, drop: Drop | None, ack: PreparedAck | None, *, kit: Kit, before: Upload | None
) -> Upload:
    key = (upload.account, upload.zone, upload.feed, upload.name)
    uploads.forget_abandoned(conn, *key, now=kit.clock())
    older = uploads.closed(conn, *key, besides=upload.id)
    if older is not None:
        _cancel(conn, older, UploadVerdict.REPLACED, "overwritten", kit=kit)
    if before is not None:
        if uploads.by_id(conn, before.id) != before:
            raise LostTurnError(f"Upload {before.id} was taken or changed meanwhile.")
        if before.drop_id is not None:
            # Renamed from one final name to another: still one upload, so its first drop is taken back.
            drops.take_back(conn, before.drop_id)
    values = {
        "feed": upload.feed,
        "name": upload.name,
        "state": upload.state,
        "size": upload.size,
        "sha256": upload.sha256,
        "closed_at": upload.closed_at,
        "renamed": upload.renamed,
        "drop_id": upload.drop_id,
    }
    uploads.change(conn, upload.id, **values)
    if drop is not None and ack is not None:
        drop = replace(drop, seq=counters.advance(conn, "close_seq"))
        drops.insert(conn, drop)
        commit_ack(conn, ack, drop)
        kit.engine.submit(conn, TaskKind.ADVANCE, drop.id, not_before=drop.due_at)
    elif ack is not None:
        listed_until = ack.at + LISTED_AFTER
        uploads.settle(conn, upload.id, verdict=UploadVerdict.IGNORED, reason=NO_FEED, listed_until=listed_until)
        commit_refusal(conn, ack, upload)
    ended = UploadState.CLOSED.value if drop is not None or ack is None else UploadVerdict.IGNORED.value
    count(conn, Figure.UPLOADS, ended, kit=kit)
    details = {"upload": upload.id, "name": upload.name, "bytes": upload.size, "drop": upload.drop_id}
    audit.record(conn, at=kit.clock(), actor=upload.account, event="upload_closed", details=details)
    return upload


def _cancel(conn: Connection, upload: Upload, verdict: UploadVerdict, reason: str, *, kit: Kit) -> None:
    """Settle an upload that will not be taken; its drop still walks the line, changes nothing and reports."""
    uploads.settle(conn, upload.id, verdict=verdict, reason=reason)
    count(conn, Figure.UPLOADS, verdict, kit=kit)
    drop = drops.by_id(conn, upload.drop_id) if upload.drop_id else None
    if drop is not None and drop.state is DropState.RECEIVED:
        drops.note(conn, drop, verdict=DropVerdict.CANCELLED, reason=reason, due_at=kit.clock())
        kit.engine.submit(conn, TaskKind.ADVANCE, drop.id)


def _parent(conn: Connection, account: Account, name: str) -> Drop | None:
    stem = rejects_parent(name)
    found = drops.by_result_name(conn, stem) if stem else None
    return found if found is not None and found.account == account.name else None


def _feed(project: Project, account: Account, upload: Upload, parent: Drop | None) -> Feed | None:
    """Return the feed a file belongs to: its parent's, its folder's, or the first whose globs take the name."""
    if parent is not None:
        feed = project.feed(parent.feed)
    elif upload.feed is not None:
        feed = project.feed(upload.feed)
    else:
        feed = project.feed_for(upload.name)
    return feed if feed is not None and (not account.feeds or feed.name in account.feeds) else None


def _drop(account: Account, upload: Upload, feed: Feed, parent: Drop | None, *, ended: bool, now: datetime) -> Drop:
    drop_id = uuid4().hex
    settle = feed.settle_after_rename if upload.renamed else feed.settle
    return Drop(
        id=drop_id,
        seq=0,  # given inside the commit, so that it is the order of commits
        account=account.name,
        project=account.project,
        feed=feed.name,
        upload_id=upload.id,
        file_name=upload.name,
        result_name=result_name(upload.name, now, drop_id),
        blob=upload.blob,
        bytes=upload.size,
        sha256=upload.sha256,
        dry_run=upload.zone == DRY_RUN,
        parent_id=parent.id if parent else None,
        forced=feed.force and FORCE in upload.name,
        state=DropState.RECEIVED,
        received_at=now,
        due_at=now + settle * (1 if ended else _UNENDED),
    )

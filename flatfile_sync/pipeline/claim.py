"""Claim: a settled drop gets its turn in the feed, its project version and, if it is one, its verdict `duplicate`."""

from dataclasses import replace

from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.drop import LISTED_AFTER, Drop
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.domain.states import Decision, DropState, DropVerdict, UploadVerdict
from flatfile_sync.files.columns import file_sha256
from flatfile_sync.files.layers import Opened
from flatfile_sync.pipeline.ack import PreparedAck, commit_ack, prepare_ack
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.opening import open_drop, outermost
from flatfile_sync.store import drops, feeds, projects, uploads


async def claim(drop: Drop, *, kit: Kit) -> Drop:
    """Return the drop as CLAIMED, or unchanged if it is not due or not its turn.

    The drop whose turn ends submits those that wait behind it. Raises `ConfigurationError` if project or feed is gone.
    """
    if drop.due_at is not None and drop.due_at > kit.clock():
        return drop
    project = kit.projects.current(drop.project)
    feed = project.feed(drop.feed)
    if feed is None:
        raise ConfigurationError(f"Project {project.name!r} has no feed {drop.feed!r} any more; drop {drop.id} waits.")
    known = drop.sha256
    sent = known if known is not None else await kit.compute.run(file_sha256, kit.spool.path(drop.blob))
    content = sent
    if await outermost(drop.blob, kit=kit):
        # Unpacked here, since a duplicate is one of the content; but not each time the drop is looked at.
        if not await kit.store.read(lambda conn: _has_its_turn(conn, drop, feed)):
            return drop
        opened = await open_drop(drop, feed, kit=kit)
        drop, content = _with_layers(drop, opened), opened.sha256 or sent
    original = await kit.store.read(lambda conn: _duplicate_of(conn, drop, content))
    ack = None
    if original is not None:
        ack = await prepare_ack(drop, Decision.DUPLICATE, kit=kit, sha256=sent, duplicate_of=original)
    elif drop.verdict is DropVerdict.CANCELLED:
        ack = await prepare_ack(drop, Decision.IGNORED, kit=kit, sha256=sent, why=f"{drop.reason} before its turn")
    return await kit.store.write(
        lambda conn: _claim(
            conn, drop, kit=kit, project=project, feed=feed, sha256=sent, content=content, original=original, ack=ack
        )
    )


def _with_layers(drop: Drop, opened: Opened) -> Drop:
    """Return a drop with what is known of its layers; without a `content_sha256` they could not be opened."""
    found: dict[str, object] = {"layers": [layer.value for layer in opened.layers]}
    if opened.issue is None:
        found["content_sha256"] = opened.sha256
    return replace(drop, summary=drop.summary | found)


def _claim(
    conn: Connection,
    drop: Drop,
    *,
    kit: Kit,
    project: Project,
    feed: Feed,
    sha256: str,
    content: str,
    original: str | None,
    ack: PreparedAck | None,
) -> Drop:
    if not _has_its_turn(conn, drop, feed):
        return drop
    if _duplicate_of(conn, drop, content) != original:
        # The drop before it ended its turn since we looked: look again.
        kit.engine.submit(conn, TaskKind.ADVANCE, drop.id)
        return drop
    now = kit.clock()
    projects.pin(conn, version=project.version, project=project.name, document=kit.projects.dump(project), now=now)
    values: dict[str, object] = {}
    if original is not None and drop.verdict is None:
        values = {"verdict": DropVerdict.DUPLICATE, "duplicate_of": original, "reason": f"duplicate of {original}"}
    if drop.verdict is not DropVerdict.CANCELLED:
        uploads.settle(conn, drop.upload_id, verdict=UploadVerdict.DROP, listed_until=now + LISTED_AFTER)
    if ack is not None:
        commit_ack(conn, ack, drop)
    values |= {"sha256": sha256, "project_version": project.version, "summary": drop.summary}
    claimed = drops.move(conn, drop, DropState.CLAIMED, claimed_at=now, **values)
    faults.point("claim.before_commit")
    return claimed


def _has_its_turn(conn: Connection, drop: Drop, feed: Feed) -> bool:
    """Return whether nothing of the feed stands before the drop.

    A dry run changes nothing, and a repaired rejects file is as old as the drop it began as: neither waits.
    """
    if drop.dry_run or drop.parent_id is not None:
        return True
    if drops.before_in_feed(conn, drop) is not None:
        return False
    goes_on = drop.forced or drop.verdict is DropVerdict.CANCELLED or not feed.stop_after_failure
    return goes_on or drops.failed_before_in_feed(conn, drop) is None


def _duplicate_of(conn: Connection, drop: Drop, content: str) -> str | None:
    """Return the feed's last applied drop if its content is the same; repairs and dry runs are exempt."""
    if drop.dry_run or drop.forced or drop.parent_id or drop.verdict is not None:
        return None
    last = feeds.last_applied(conn, drop.project, drop.feed)
    return last.drop_id if last is not None and last.sha256 == content else None

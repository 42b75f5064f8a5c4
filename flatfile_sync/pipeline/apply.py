"""Apply: each chunk in one transaction that re-reads its passes, merges, compares, and writes what really changed.

Most chunks are merged ahead of their transaction, see `drafting`; it looks whether that still holds.

The verdict file of a chunk is on disk before its transaction commits and counts only once the chunk's row names it.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.drop import Chunk, Drop
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.project import Feed, FeedOrder, Project
from flatfile_sync.domain.states import DropState, DropVerdict, Platform, RecordStatus
from flatfile_sync.files.columns import VERDICT, encode, read_lists
from flatfile_sync.pipeline import messages, writing
from flatfile_sync.pipeline.crew import in_order
from flatfile_sync.pipeline.drafting import Draft, draft_chunk, passes_of
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.merging import Circumstances, Order, Outcome, Verdict, merge_chunk
from flatfile_sync.pipeline.orders import Orders, read_orders, verdict_columns
from flatfile_sync.pipeline.owing import offer
from flatfile_sync.pipeline.pausing import no_collection
from flatfile_sync.spool.local import sync_folder, write_file
from flatfile_sync.store import chunks, consents, drops, feeds, passes
from flatfile_sync.store.consents import ConsentRow
from flatfile_sync.store.database import Priority
from flatfile_sync.store.tables import micros

# What records get of which nothing was done; `unprocessed` is said only after something was.
_LEFT_OUT = frozenset({RecordStatus.SKIPPED.value, RecordStatus.REJECTED.value})
# Chunks that are drafted ahead of the writer, beside those that the workers are at.
_AHEAD: Final = 1


async def apply(
    drop: Drop, project: Project, feed: Feed, *, kit: Kit, progress: Callable[[int], None] = lambda _: None
) -> Drop:
    """Commit every chunk that is not committed yet and return the drop as APPLIED."""
    folder = kit.spool.work(drop.id)
    planned = await kit.store.read(lambda conn: chunks.of_drop(conn, drop.id))
    done = sum(chunk.records for chunk in planned if chunk.verdict_file)
    interrupted = drop.verdict is DropVerdict.CANCELLED and await kit.compute.run(_took_effect, folder, planned)
    left = [chunk for chunk in planned if chunk.verdict_file is None]
    jobs = [_Job(drop, project, feed, chunk, kit, interrupted=interrupted) for chunk in left]
    if drop.changes_passes:
        async for job, ahead in in_order(jobs, _ahead, width=kit.compute.width + _AHEAD):
            await kit.store.write(partial(job.commit, ahead=ahead), priority=Priority.CHUNK)
            done += job.chunk.records
            progress(done)
    else:
        for job in jobs:
            verdicts = await kit.store.read(job.look)
            await kit.store.write(partial(job.note, rows=verdicts))
            done += job.chunk.records
            progress(done)
    return await kit.store.write(lambda conn: _finish(conn, drop, kit, owes=interrupted or drop.changes_passes))


def _took_effect(folder: Path, planned: Sequence[Chunk]) -> bool:
    """Return whether chunks were committed before the drop was cancelled, whatever it wrote since then."""
    for chunk in planned:
        if chunk.verdict_file is not None:
            words = read_lists(folder / chunk.verdict_file, ("status",))["status"]
            if not _LEFT_OUT.issuperset(words):
                return True
    return False


def _finish(conn: Connection, drop: Drop, kit: Kit, *, owes: bool) -> Drop:
    now = kit.clock()
    verdict = drop.verdict
    if drop.changes_passes:
        # A repaired rejects file is no export of the feed: the next export is compared with the last one.
        if drop.parent_id is None:
            feeds.applied(conn, drop, now=now)
    elif drop.dry_run and verdict is None:
        verdict = DropVerdict.DRY_RUN
    moved = drops.move(conn, drop, DropState.APPLIED, applied_at=now, verdict=verdict)
    for waiting in drops.waiting_behind(conn, drop):
        kit.engine.submit(conn, TaskKind.ADVANCE, waiting)
    if owes:
        for platform in Platform:
            kit.engine.submit(conn, TaskKind.DELIVER, platform.value)
    faults.point("apply.before_finish")
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ahead:
    """A draft and the moment it was made at."""

    draft: Draft
    now: datetime


async def _ahead(job: "_Job") -> tuple["_Job", _Ahead | None]:
    """Return a job with its draft, if its chunk can have one."""
    kit, plan, main = job.kit, job.folder / job.chunk.plan_file, job.chunk.kind == "main"
    numbers = await kit.compute.run(passes_of, plan, main=main)
    if numbers is None:
        return job, None
    now = kit.clock()
    stored, around = await kit.store.read(partial(job.snapshot, numbers=numbers, now=now))
    name = f"verdict-{job.chunk.no:05}"
    draft = await kit.compute.run(draft_chunk, plan, name, stored, main=main, around=around)
    return job, _Ahead(draft=draft, now=now)


class _Job:
    """One chunk of one drop."""

    def __init__(self, drop: Drop, project: Project, feed: Feed, chunk: Chunk, kit: Kit, *, interrupted: bool) -> None:
        self.drop, self.project, self.feed, self.chunk, self.kit = drop, project, feed, chunk, kit
        self.interrupted = interrupted
        self.folder = kit.spool.work(drop.id)

    def snapshot(self, conn: Connection, *, numbers: Sequence[int], now: datetime) -> tuple[bytes | str, Circumstances]:
        """Return what a draft is made on: passes as they are now (as JSON, which travels unread)."""
        return passes.load_json(conn, numbers), self._around(conn, now)

    def commit(self, conn: Connection, *, ahead: _Ahead | None) -> None:
        """Write the chunk's changes and its verdicts; one transaction."""
        with no_collection():
            drops.expect(conn, self.drop)
            if ahead is not None:
                seen, rewrites, owed = ahead.draft.unpack()
                if passes.unmoved(conn, seen):
                    writing.write_content(conn, rewrites, owed, drop=self.drop, feed=self.feed, now=ahead.now)
                    faults.point("apply.inside_chunk")
                    self._name(conn, ahead.draft.verdict_file, ahead.draft.verdict_sha256)
                    return
            now = self.kit.clock()
            asked = self._orders()
            told = writing.consents_of(conn, asked.statements, drop=self.drop, project=self.project, now=now)
            consents.record_many(conn, told)
            outcome, due = self._merge(conn, asked.orders, told, now, lock=True)
            writing.write_outcome(
                conn,
                outcome,
                due,
                drop=self.drop,
                feed=self.feed,
                project=self.project,
                linker=self.kit.linker,
                now=now,
            )
            faults.point("apply.inside_chunk")
            self.note(conn, verdict_columns(outcome, asked.failed, micros(now)))

    def look(self, conn: Connection) -> dict[str, list[Any]]:
        """Return the verdicts the chunk would get, on one snapshot, with nothing written."""
        orders, failed, statements = self._orders()
        if self.drop.verdict is not None:
            word = RecordStatus.UNPROCESSED if self.interrupted else RecordStatus.SKIPPED
            why = self.drop.reason or ""
            skipped = {order.record: Verdict(word, message=why) for order in orders}
            return verdict_columns(Outcome(verdicts=skipped), failed, None)
        now = self.kit.clock()
        told = writing.consents_of(conn, statements, drop=self.drop, project=self.project, now=now)
        outcome, _ = self._merge(conn, orders, told, now, lock=False)
        for verdict in outcome.verdicts.values():
            if verdict.status is RecordStatus.APPLIED:
                verdict.status = RecordStatus.VALID
        return verdict_columns(outcome, failed, None)

    def note(self, conn: Connection, rows: dict[str, list[Any]]) -> None:
        """Put the verdict file on disk under a name of its own, then name it in the chunk's row."""
        data, sha256 = encode(rows, VERDICT)
        name = f"verdict-{self.chunk.no:05}-{secrets.token_hex(4)}.arrow"
        write_file(self.folder / name, data)
        sync_folder(self.folder)
        self._name(conn, name, sha256)

    def _name(self, conn: Connection, verdict_file: str, sha256: str) -> None:
        """Name the verdict file, which is on disk, in the chunk's row."""
        faults.point("apply.verdict_written")
        chunks.commit(conn, self.chunk, verdict_file=verdict_file, verdict_sha256=sha256, now=self.kit.clock())
        faults.point("apply.before_commit")

    def _merge(
        self, conn: Connection, orders: Sequence[Order], told: Sequence[ConsentRow], now: datetime, *, lock: bool
    ) -> tuple[Outcome, Mapping[int, int]]:
        """Resolve what changed since plan, then merge; a dry run takes the same path without locks.

        Beside the outcome comes when each record's message is due.
        """
        orders, refused = writing.settle_creations(conn, orders, self.project)
        orders = writing.without_equal_corrections(conn, orders)
        refused |= writing.refused_corrections(conn, orders, self.project)
        numbers = sorted({order.pass_no for order in orders if order.pass_no > 0})
        stored = {row.no: row for row in passes.load_many(conn, numbers, lock=lock)}
        decided = messages.decide(conn, orders, told, stored, project=self.project, feed=self.feed, now=now)
        around = replace(self._around(conn, now), notices=decided.notices)
        return merge_chunk(orders, stored, refused, around=around), decided.due

    def _around(self, conn: Connection, now: datetime) -> Circumstances:
        return Circumstances(
            project=self.project.name,
            feed=self.feed.name,
            seq=drops.origin_seq(conn, self.drop),
            now=micros(now),
            refuse_stale=self.feed.stale is FeedOrder.REJECT,
            platforms={kind.name: offer(kind) for kind in self.project.pass_types},
        )

    def _orders(self) -> Orders:
        return read_orders(self.folder / self.chunk.plan_file, main=self.chunk.kind == "main")

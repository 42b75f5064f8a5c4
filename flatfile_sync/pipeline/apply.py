"""Apply: each chunk in one transaction that re-reads its passes, merges, compares, and writes what really changed.

The verdict file of a chunk is on disk before its transaction commits and counts only once the chunk's row names it.
"""

import gc
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.drop import Chunk, Drop
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Feed, FeedOrder, Project
from flatfile_sync.domain.states import DropState, DropVerdict, Platform, RecordStatus
from flatfile_sync.files.columns import VERDICT, encode, read_lists
from flatfile_sync.files.table import as_json
from flatfile_sync.pipeline import writing
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.merging import Circumstances, Order, Outcome, Verdict, merge_chunk
from flatfile_sync.spool.local import sync_folder, write_file
from flatfile_sync.store import chunks, consents, drops, feeds, passes
from flatfile_sync.store.consents import ConsentRow
from flatfile_sync.store.database import Priority
from flatfile_sync.store.tables import micros

# What records get of which nothing was done; `unprocessed` is said only after something was.
_LEFT_OUT = frozenset({RecordStatus.SKIPPED.value, RecordStatus.REJECTED.value})
_READ = (
    "record",
    "line",
    "key",
    "key_type",
    "op",
    "patch",
    "extra",
    "failed",
    "pass_no",
    "pass_id",
    "pass_type",
    "ids",
    "tail",
)


async def apply(
    drop: Drop, project: Project, feed: Feed, *, kit: Kit, progress: Callable[[int], None] = lambda _: None
) -> Drop:
    """Commit every chunk that is not committed yet and return the drop as APPLIED."""
    folder = kit.spool.work(drop.id)
    planned = await kit.store.read(lambda conn: chunks.of_drop(conn, drop.id))
    done = sum(chunk.records for chunk in planned if chunk.verdict_file)
    interrupted = drop.verdict is DropVerdict.CANCELLED and await kit.compute.run(_took_effect, folder, planned)
    for chunk in planned:
        if chunk.verdict_file is not None:
            continue
        job = _Job(drop, project, feed, chunk, kit, interrupted=interrupted)
        if drop.changes_passes:
            await kit.store.write(job.commit, priority=Priority.CHUNK)
        else:
            verdicts = await kit.store.read(job.look)
            await kit.store.write(lambda conn, job=job, verdicts=verdicts: job.note(conn, verdicts))  # type: ignore[misc]
        done += chunk.records
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


class _Job:
    """One chunk of one drop."""

    def __init__(self, drop: Drop, project: Project, feed: Feed, chunk: Chunk, kit: Kit, *, interrupted: bool) -> None:
        self.drop, self.project, self.feed, self.chunk, self.kit = drop, project, feed, chunk, kit
        self.interrupted = interrupted
        self.folder = kit.spool.work(drop.id)

    def commit(self, conn: Connection) -> None:
        """Write the chunk's changes and its verdicts; one transaction."""
        with _no_collection():
            drops.expect(conn, self.drop)
            now = self.kit.clock()
            orders, failed, statements = self._orders()
            told = writing.consents_of(conn, statements, drop=self.drop, project=self.project, now=now)
            consents.record_many(conn, told)
            outcome = self._merge(conn, orders, told, now, lock=True)
            writing.write_outcome(conn, outcome, drop=self.drop, feed=self.feed, project=self.project, now=now)
            faults.point("apply.inside_chunk")
            self.note(conn, self._rows(outcome, failed, micros(now)))

    def look(self, conn: Connection) -> dict[str, list[Any]]:
        """Return the verdicts the chunk would get, on one snapshot, with nothing written."""
        orders, failed, statements = self._orders()
        if self.drop.verdict is not None:
            word = RecordStatus.UNPROCESSED if self.interrupted else RecordStatus.SKIPPED
            why = self.drop.reason or ""
            skipped = {order.record: Verdict(word, message=why) for order in orders}
            return self._rows(Outcome(verdicts=skipped), failed, None)
        now = self.kit.clock()
        told = writing.consents_of(conn, statements, drop=self.drop, project=self.project, now=now)
        outcome = self._merge(conn, orders, told, now, lock=False)
        for verdict in outcome.verdicts.values():
            if verdict.status is RecordStatus.APPLIED:
                verdict.status = RecordStatus.VALID
        return self._rows(outcome, failed, None)

    def note(self, conn: Connection, rows: dict[str, list[Any]]) -> None:
        """Put the verdict file on disk under a name of its own, then name it in the chunk's row."""
        data, sha256 = encode(rows, VERDICT)
        name = f"verdict-{self.chunk.no:05}-{secrets.token_hex(4)}.arrow"
        write_file(self.folder / name, data)
        sync_folder(self.folder)
        faults.point("apply.verdict_written")
        chunks.commit(conn, self.chunk, verdict_file=name, verdict_sha256=sha256, now=self.kit.clock())
        faults.point("apply.before_commit")

    def _merge(
        self, conn: Connection, orders: Sequence[Order], told: Sequence[ConsentRow], now: datetime, *, lock: bool
    ) -> Outcome:
        """Resolve what changed since plan, then merge; a dry run takes the same path without locks."""
        orders, refused = writing.settle_creations(conn, orders, self.project)
        orders = writing.without_equal_corrections(conn, orders)
        refused |= writing.refused_corrections(conn, orders, self.project)
        numbers = sorted({order.pass_no for order in orders if order.pass_no > 0})
        stored = {row.no: row for row in passes.load_many(conn, numbers, lock=lock)}
        around = Circumstances(
            project=self.project.name,
            feed=self.feed.name,
            seq=drops.origin_seq(conn, self.drop),
            now=micros(now),
            refuse_stale=self.feed.stale is FeedOrder.REJECT,
            platforms={kind.name: frozenset(kind.platforms) for kind in self.project.pass_types},
            unwanted=writing.unwanted_messages(conn, orders, told, self.project),
        )
        return merge_chunk(orders, stored, refused, around=around)

    def _orders(self) -> tuple[list[Order], list[int], list[writing.Statement]]:
        """Return the chunk's orders, the records that failed before, and what any of them says about consent."""
        lists = read_lists(self.folder / self.chunk.plan_file, _READ)
        patches = orjson.loads("[" + ",".join(lists["patch"]) + "]")
        nothing: dict[str, Any] = {}
        orders: list[Order] = []
        failed: list[int] = []
        statements: list[writing.Statement] = []
        main = self.chunk.kind == "main"
        for row, record in enumerate(lists["record"]):
            if lists["tail"][row] and main:
                continue
            extra = nothing if lists["extra"][row] is None else orjson.loads(lists["extra"][row])
            ids = nothing if lists["ids"][row] is None else orjson.loads(lists["ids"][row])
            pass_no, pass_id = lists["pass_no"][row], lists["pass_id"][row]
            if "consents" in extra:
                key_type, key = lists["key_type"][row], lists["key"][row]
                told = (record, pass_no, pass_id or "", key_type, key, ids, extra["consents"])
                statements.append(writing.Statement._make(told))
            if lists["failed"][row]:
                failed.append(record)
                continue
            orders.append(
                Order(
                    record,
                    lists["line"][row],
                    lists["op"][row],
                    pass_no,
                    pass_id,
                    lists["pass_type"][row],
                    patches[row],
                    extra,
                    ids,
                )
            )
        return orders, failed, statements

    def _rows(self, outcome: Outcome, failed: Sequence[int], applied_at: int | None) -> dict[str, list[Any]]:
        """Return the verdict columns, by record."""
        verdicts = outcome.verdicts
        for record in failed:
            verdicts[record] = Verdict(RecordStatus.REJECTED)
        ordered = sorted(verdicts.items())
        told = [verdict for _, verdict in ordered]
        return {
            "record": [record for record, _ in ordered],
            "status": [verdict.status.value for verdict in told],
            "changed": [" ".join(verdict.changed) for verdict in told],
            "message": [verdict.message for verdict in told],
            "pass_no": [verdict.pass_no for verdict in told],
            "pass_id": [verdict.pass_id for verdict in told],
            "revision": [verdict.revision for verdict in told],
            "apple": [verdict.apple.value for verdict in told],
            "google": [verdict.google.value for verdict in told],
            "notification": [verdict.notification.value for verdict in told],
            "applied_at": [applied_at if verdict.status is RecordStatus.APPLIED else None for verdict in told],
            "issues": [_issues(verdict.problem) for verdict in told],
        }


def _issues(problem: Issue | None) -> str | None:
    return None if problem is None else as_json([problem])


@contextmanager
def _no_collection() -> Iterator[None]:
    """Stop the garbage collector inside a chunk: it would walk fifty thousand short-lived objects for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

"""Report: the result set, all of it or nothing, under the names fixed when the drop was received."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.clock import iso
from flatfile_sync.domain.drop import Chunk, Drop
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.domain.states import DropState, DropVerdict, Platform, RecordStatus
from flatfile_sync.domain.tally import Figure
from flatfile_sync.files.columns import verify
from flatfile_sync.files.dialect import Dialect
from flatfile_sync.files.reports import Counts, Parts, Written, write_result_set
from flatfile_sync.pipeline import documents
from flatfile_sync.pipeline.ack import folder_of
from flatfile_sync.pipeline.counting import count
from flatfile_sync.pipeline.documents import Summary, encoded
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.opening import content_of
from flatfile_sync.store import artefacts, chunks, deliveries, drops, lanes
from flatfile_sync.store.artefacts import Artefact

_MISSED = (RecordStatus.REJECTED, RecordStatus.SKIPPED, RecordStatus.UNPROCESSED)


async def report(drop: Drop, project: Project, feed: Feed, *, kit: Kit) -> Drop:
    """Publish the result set and return the drop as REPORTED."""
    folder = kit.spool.work(drop.id)
    planned = await kit.store.read(lambda conn: chunks.of_drop(conn, drop.id))
    await kit.compute.run(verify, _verdicts(folder, planned))
    names = {kind: folder / f"report.{kind}" for kind in ("result.csv", "issues.csv", "rejects.csv")}
    counts, files = await kit.compute.run(
        write_result_set,
        Parts(main=_pairs(drop, planned, "main", kit), tail=_pairs(drop, planned, "tail", kit)),
        content_of(drop, kit=kit),
        bytes.fromhex(str(drop.summary["header"])),
        _file_issues(drop),
        result=names["result.csv"],
        issues=names["issues.csv"],
        rejects=names["rejects.csv"],
    )
    if counts.records != drop.summary["records"]:
        raise AssertionError(f"{drop.summary['records']} records were read, {counts.records} have a verdict")
    verdict = drop.verdict
    if verdict is None:
        missed = any(counts.statuses[status.value] for status in _MISSED)
        verdict = DropVerdict.PARTIAL if missed else DropVerdict.APPLIED
    owed, before = await kit.store.read(
        lambda conn: (deliveries.owed_by(conn, drop.id), lanes.standing_before(conn, drop.id))
    )
    attempt = secrets.token_hex(4)
    summary = _summary(drop, project, feed, counts, files, verdict=verdict, owed=owed, before=before, kit=kit)
    blobs = {kind: f"{drop.id}.{attempt}.{kind}" for kind in (*files, "summary.json")}
    for kind in files:
        await asyncio.to_thread(kit.spool.adopt, names[kind], blobs[kind])
    data = encoded(summary)
    sha256 = await asyncio.to_thread(kit.spool.put, blobs["summary.json"], data)
    faults.point("report.files")
    published = {**files, "summary.json": Written(size=len(data), sha256=sha256)}

    def publish(conn: Connection) -> Drop:
        for status, records in counts.statuses.items():
            count(conn, Figure.RECORDS, drop.project, status, kit=kit, by=records)
        return _publish(conn, drop, published, blobs, feed=feed, verdict=verdict, kit=kit)

    return await kit.store.write(publish)


def _publish(
    conn: Connection,
    drop: Drop,
    published: Mapping[str, Written],
    blobs: Mapping[str, str],
    *,
    feed: Feed,
    verdict: DropVerdict,
    kit: Kit,
) -> Drop:
    now = kit.clock()
    place = folder_of(conn, drop)
    for kind, written in published.items():
        artefacts.upsert(
            conn,
            Artefact(
                account=drop.account,
                zone="outbox",
                feed=place,
                name=f"{drop.result_name}.{kind}",
                blob=blobs[kind],
                size=written.size,
                sha256=written.sha256,
                drop_id=drop.id,
                created_at=now,
            ),
        )
    if not drop.dry_run:
        artefacts.upsert(
            conn,
            Artefact(
                account=drop.account,
                zone="archive",
                feed="",
                name=f"{drop.result_name}.{drop.file_name.rsplit('.', 1)[-1]}",
                blob=drop.blob,
                size=drop.bytes,
                sha256=drop.sha256,
                drop_id=drop.id,
                created_at=now,
            ),
        )
    artefacts.delete(conn, drop.account, "outbox", place, f"{drop.result_name}.progress.json")
    moved = drops.move(conn, drop, DropState.REPORTED, reported_at=now, verdict=verdict, horizon_at=now + feed.horizon)
    kit.engine.submit(conn, TaskKind.ADVANCE, drop.id, not_before=moved.horizon_at)
    count(conn, Figure.DROPS, drop.project, verdict, kit=kit)
    faults.point("report.before_commit")
    return moved


def _verdicts(folder: Path, planned: Sequence[Chunk]) -> list[tuple[Path, str]]:
    return [(folder / chunk.verdict_file, chunk.verdict_sha256 or "") for chunk in planned if chunk.verdict_file]


def _pairs(drop: Drop, planned: Sequence[Chunk], kind: str, kit: Kit) -> list[tuple[Any, Any]]:
    folder = kit.spool.work(drop.id)
    return [
        (folder / chunk.plan_file, folder / chunk.verdict_file)
        for chunk in planned
        if chunk.kind == kind and chunk.verdict_file is not None
    ]


def _file_issues(drop: Drop) -> list[dict[str, Any]]:
    found = drop.summary["issues"]
    return list(found) if isinstance(found, list) else []


def _summary(
    drop: Drop,
    project: Project,
    feed: Feed,
    counts: Counts,
    files: Mapping[str, Written],
    *,
    verdict: DropVerdict,
    owed: Mapping[str, int],
    before: Mapping[str, int],
    kit: Kit,
) -> Summary:
    """Return `.summary.json`; its presence means that the result set is complete."""
    rates = {platform: kit.platforms[platform].rate for platform in kit.platforms}
    found: Mapping[str, Any] = drop.summary
    return Summary(
        drop_id=drop.id,
        file=drop.file_name,
        project=drop.project,
        project_version=drop.project_version,
        feed=drop.feed,
        parent=drop.parent_id,
        dry_run=drop.dry_run,
        verdict=verdict,
        reason=drop.reason,
        duplicate_of=drop.duplicate_of,
        bytes=drop.bytes,
        sha256=drop.sha256,
        layers=list(drop.layers),
        content_sha256=drop.content_sha256,
        counts=documents.Counts(
            read=counts.records, **{status.value: counts.statuses[status.value] for status in RecordStatus}
        ),
        issues=counts.issues,
        codes={
            code: documents.Code(count=count, first_lines=counts.first_lines[code])
            for code, count in counts.codes.most_common()
        },
        dialect=Dialect(**found["dialect"]) if found["dialect"] else None,
        columns=found["columns"],
        guard=documents.Guard(**found["guard"]) if found["guard"] else None,
        notifications={word: count for word, count in counts.notifications.items() if word != "none"},
        deliveries={
            platform.value: documents.Owed(
                owed=owed.get(platform.value, 0),
                eta_seconds=round(before.get(platform.value, 0) / rates[platform]) if platform in rates else None,
            )
            for platform in Platform
        },
        times=documents.Times(
            received_at=iso(drop.received_at),
            claimed_at=iso(drop.claimed_at),
            planned_at=iso(drop.planned_at),
            applied_at=iso(drop.applied_at),
        ),
        files={
            f"{drop.result_name}.{kind}": documents.File(bytes=written.size, sha256=written.sha256)
            for kind, written in files.items()
        },
        retention=documents.Kept(
            reports_days=project.retention.reports.days,
            archive_days=project.retention.archive.days,
            horizon_hours=feed.horizon.total_seconds() / 3600,
        ),
    )

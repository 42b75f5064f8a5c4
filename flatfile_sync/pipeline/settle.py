"""Settle: all deliveries have an outcome, or the feed's horizon has passed; the delivery report goes out."""

import asyncio
import secrets

from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.clock import iso
from flatfile_sync.domain.drop import Chunk, Drop
from flatfile_sync.domain.states import DeliveryKind, DropState
from flatfile_sync.files.columns import file_sha256
from flatfile_sync.files.delivery_report import Effect, Totals, append_chunk, owing_passes
from flatfile_sync.pipeline.ack import folder_of
from flatfile_sync.pipeline.documents import DeliverySummary, File, encoded
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import artefacts, chunks, deliveries, drops
from flatfile_sync.store.artefacts import Artefact


async def settle(drop: Drop, *, kit: Kit) -> Drop:
    """Return the drop as SETTLED, or unchanged while deliveries are open and the horizon is ahead."""
    still_open = await kit.store.read(lambda conn: deliveries.open_count(conn, drop.id))
    if still_open and drop.horizon_at is not None and kit.clock() < drop.horizon_at:
        return drop
    planned = await kit.store.read(lambda conn: chunks.of_drop(conn, drop.id))
    totals = await _write_report(drop, planned, kit)
    published: dict[str, tuple[str, int, str]] = {}
    if totals.records:
        published = await _blobs(drop, totals, still_open, kit)
        faults.point("settle.files")
    settled = await kit.store.write(lambda conn: _publish(conn, drop, published, kit))
    await asyncio.to_thread(kit.spool.clear_work, drop.id)
    return settled


async def _write_report(drop: Drop, planned: list[Chunk], kit: Kit) -> Totals:
    folder = kit.spool.work(drop.id)
    totals = Totals()
    first = True
    for chunk in planned:
        if chunk.verdict_file is None:
            continue
        plan, verdict = folder / chunk.plan_file, folder / chunk.verdict_file
        numbers = await kit.compute.run(owing_passes, verdict)
        if not numbers:
            continue
        standing = await kit.store.read(lambda conn, numbers=numbers: deliveries.of_drop(conn, drop.id, numbers))  # type: ignore[misc]
        effects = [
            Effect(
                pass_no=row.pass_no,
                platform=row.platform,
                message=row.kind == DeliveryKind.MESSAGE,
                record=row.record,
                state=row.state,
                outcome=row.outcome,
                attempts=row.attempts,
                settled_at=row.settled_at,
                reason=row.reason,
            )
            for row in standing
        ]
        part = await kit.compute.run(append_chunk, folder / "report.delivery.csv", plan, verdict, effects, first=first)
        first = False
        totals.records += part.records
        for name, words in part.words.items():
            totals.words[name].update(words)
    return totals


async def _blobs(drop: Drop, totals: Totals, still_open: int, kit: Kit) -> dict[str, tuple[str, int, str]]:
    """Make the report durable; return (blob, bytes, sha256) by kind."""
    attempt = secrets.token_hex(4)
    source = kit.spool.work(drop.id) / "report.delivery.csv"
    size = source.stat().st_size
    sha256 = await kit.compute.run(file_sha256, source)
    table = f"{drop.id}.{attempt}.delivery.csv"
    await asyncio.to_thread(kit.spool.adopt, source, table)
    document = DeliverySummary(
        drop_id=drop.id,
        file=drop.file_name,
        feed=drop.feed,
        records=totals.records,
        outcomes={name: dict(sorted(counter.items())) for name, counter in sorted(totals.words.items())},
        open_deliveries=still_open,
        horizon_reached=still_open > 0,
        settled_at=iso(kit.clock()),
        files={f"{drop.result_name}.delivery.csv": File(bytes=size, sha256=sha256)},
    )
    data = encoded(document)
    name = f"{drop.id}.{attempt}.delivery.json"
    digest = await asyncio.to_thread(kit.spool.put, name, data)
    return {"delivery.csv": (table, size, sha256), "delivery.json": (name, len(data), digest)}


def _publish(conn: Connection, drop: Drop, published: dict[str, tuple[str, int, str]], kit: Kit) -> Drop:
    now = kit.clock()
    for kind, (blob, size, sha256) in published.items():
        artefacts.upsert(
            conn,
            Artefact(
                account=drop.account,
                zone="outbox",
                feed=folder_of(conn, drop),
                name=f"{drop.result_name}.{kind}",
                blob=blob,
                size=size,
                sha256=sha256,
                drop_id=drop.id,
                created_at=now,
            ),
        )
    moved = drops.move(conn, drop, DropState.SETTLED, settled_at=now)
    faults.point("settle.before_commit")
    return moved

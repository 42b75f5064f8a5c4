"""Driving drops along the line without a door: what a partner would have put in the inbox, and what comes back."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import orjson

from flatfile_sync.domain.drop import Drop, Upload
from flatfile_sync.domain.naming import rejects_parent, result_name
from flatfile_sync.domain.states import DropState, Platform, UploadState
from flatfile_sync.pipeline.deliver import confirm, deliver
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import artefacts, counters, drops, identifiers, passes, uploads
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.sandbox.platform import Sandbox


def sandboxes():
    return {platform: Sandbox(platform, rate=1e9) for platform in Platform}


def seed(kit: Kit, *members, project="loyalty", pass_type="card"):
    """Store passes; each member is (identifiers, document[, apple, google]). Returns their ids."""

    def work(conn):
        rows = []
        for ids, document, *installed in members:
            apple, google = installed or (1, 1)
            rows.append(
                PassRow(
                    no=0,
                    id=uuid4().hex,
                    project=project,
                    pass_type=ids.pop("passType", pass_type),
                    status="active",
                    revision=1,
                    document=orjson.dumps(document).decode(),
                    expires_at=None,
                    writers="{}",
                    apple=apple,
                    google=google,
                    modified_at=0,
                )
            )
        created = passes.create_many(conn, rows, tag=0, created_at=0)
        shared = {"email"}
        identifiers.insert_many(
            conn,
            [
                (project, kind, value, row.id if kind in shared else row.pass_type, row.no)
                for row, (ids, *_) in zip(created, members, strict=True)
                for kind, value in ids.items()
            ],
        )
        return [row.id for row in created]

    return kit.store.write_now(work)


def receive(kit: Kit, text, *, feed="members", name=None, dry_run=False, **changes) -> Drop:
    """Store what the door stores at a close."""
    data = text if isinstance(text, bytes) else text.encode()
    name = name or f"{feed}.csv"
    blob, drop_id, upload_id = uuid4().hex, uuid4().hex, uuid4().hex
    kit.spool.put(blob, data)
    now = kit.clock()

    def work(conn):
        parent = rejects_parent(name)
        found = drops.by_result_name(conn, parent) if parent else None
        upload = Upload(
            id=upload_id,
            account="partner",
            zone="dryrun" if dry_run else "inbox",
            feed=None,
            name=name,
            blob=blob,
            state=UploadState.CLOSED,
            size=len(data),
            modified_at=now,
            opened_at=now,
            closed_at=now,
            drop_id=drop_id,
        )
        drop = Drop(
            id=drop_id,
            seq=counters.advance(conn, "close_seq"),
            account="partner",
            project="loyalty",
            feed=found.feed if found else feed,
            upload_id=upload_id,
            file_name=name,
            result_name=result_name(name, now, drop_id),
            blob=blob,
            bytes=len(data),
            dry_run=dry_run,
            parent_id=found.id if found else None,
            state=DropState.RECEIVED,
            received_at=now,
            due_at=now,
        )
        drop = replace(drop, **changes)
        uploads.insert(conn, upload)
        drops.insert(conn, drop)
        return drop

    return kit.store.write_now(work)


async def run(kit: Kit, drop: Drop) -> Drop:
    """Walk a drop to its end: report, deliveries, confirmations, settlement."""
    await advance(drop.id, kit=kit)
    for _ in range(4):
        for platform in Platform:
            await deliver(platform.value, kit=kit)
            await confirm(platform.value, kit=kit)
        kit.clock.advance(timedelta(seconds=30))
    await advance(drop.id, kit=kit)
    return kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))


class ResultSet:
    """A drop's artefacts as a partner reads them."""

    def __init__(self, kit: Kit, drop: Drop) -> None:
        found = kit.store.read_now(lambda conn: artefacts.of_drop(conn, drop.id))
        prefix = f"{drop.result_name}."
        self.raw = {
            entry.name.removeprefix(prefix): kit.spool.path(entry.blob).read_bytes()
            for entry in found
            if entry.zone == "outbox"
        }

    def table(self, kind):
        return list(csv.DictReader(io.StringIO(self.raw[kind].decode(), newline="")))

    @property
    def rows(self):
        return self.table("result.csv")

    @property
    def statuses(self):
        return [row["_status"] for row in self.rows]

    @property
    def codes(self):
        return [row["_codes"] for row in self.rows]

    @property
    def summary(self):
        return orjson.loads(self.raw["summary.json"])


def document_of(kit: Kit, kind, value):
    """Return the documents of the passes with an identifier."""
    rows = kit.store.read_now(lambda conn: passes.find(conn, "loyalty", kind, value))
    return [orjson.loads(row.document) for row in rows]

"""The acknowledgement: what was received, and what was decided about it. Replaced when the decision changes."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.clock import Clock, iso
from flatfile_sync.domain.drop import Drop, Upload
from flatfile_sync.domain.naming import result_name
from flatfile_sync.domain.states import Decision
from flatfile_sync.pipeline.documents import Ack, encoded
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import artefacts, uploads
from flatfile_sync.store.artefacts import Artefact


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedAck:
    """An acknowledgement whose bytes are on disk and that nobody can see yet."""

    blob: str
    size: int
    sha256: str
    at: datetime


async def prepare_ack(
    drop: Drop,
    decision: Decision,
    *,
    kit: Kit,
    sha256: str | None = None,
    why: str | None = None,
    duplicate_of: str | None = None,
) -> PreparedAck:
    """Return the drop's acknowledgement, durable; `commit_ack` shows it."""
    document = _document(drop, decision, sha256=sha256, why=why, duplicate_of=duplicate_of)
    return await asyncio.to_thread(_store, drop.id, document, spool=kit.spool, clock=kit.clock)


def write_ack(drop: Drop, decision: Decision, *, spool: Spool, clock: Clock, why: str | None = None) -> PreparedAck:
    """Do as `prepare_ack` in the calling thread, for an operator's command."""
    return _store(drop.id, _document(drop, decision, why=why), spool=spool, clock=clock)


async def prepare_refusal(upload: Upload, decision: Decision, *, why: str, kit: Kit) -> PreparedAck:
    """Return the acknowledgement of an upload that becomes no drop, durable; `commit_refusal` shows it."""
    document = Ack(
        drop_id=None,
        file=upload.name,
        decision=decision,
        why=why,
        received_at=iso(kit.clock()),
        bytes=upload.size,
        sha256=upload.sha256,
    )
    return await asyncio.to_thread(_store, upload.id, document, spool=kit.spool, clock=kit.clock)


def _document(
    drop: Drop,
    decision: Decision,
    *,
    why: str | None,
    sha256: str | None = None,
    duplicate_of: str | None = None,
) -> Ack:
    return Ack(
        drop_id=drop.id,
        file=drop.file_name,
        decision=decision,
        why=why,
        received_at=iso(drop.received_at),
        bytes=drop.bytes,
        sha256=sha256 or drop.sha256,
        layers=list(drop.layers),
        project=drop.project,
        feed=drop.feed,
        dry_run=drop.dry_run,
        parent=drop.parent_id,
        duplicate_of=duplicate_of,
        result_name=drop.result_name,
    )


def _store(owner: str, document: Ack, *, spool: Spool, clock: Clock) -> PreparedAck:
    data = encoded(document)
    blob = f"{owner}.ack.{secrets.token_hex(4)}"
    stored = spool.put(blob, data)
    faults.point("ack.put")
    return PreparedAck(blob=blob, size=len(data), sha256=stored, at=clock())


def commit_refusal(conn: Connection, ack: PreparedAck, upload: Upload) -> None:
    """Show the acknowledgement of an upload that becomes no drop, under the name its result set would have had."""
    name = f"{result_name(upload.name, ack.at, upload.id)}.ack.json"
    _show(conn, ack, account=upload.account, folder=upload.feed or "", name=name, drop_id=None)


def commit_ack(conn: Connection, ack: PreparedAck, drop: Drop) -> None:
    """Show the acknowledgement in the outbox folder that belongs to the folder the file was put in."""
    name = f"{drop.result_name}.ack.json"
    _show(conn, ack, account=drop.account, folder=folder_of(conn, drop), name=name, drop_id=drop.id)


def _show(conn: Connection, ack: PreparedAck, *, account: str, folder: str, name: str, drop_id: str | None) -> None:
    artefacts.upsert(
        conn,
        Artefact(
            account=account,
            zone="outbox",
            feed=folder,
            name=name,
            blob=ack.blob,
            size=ack.size,
            sha256=ack.sha256,
            drop_id=drop_id,
            created_at=ack.at,
        ),
    )


def folder_of(conn: Connection, drop: Drop) -> str:
    """Return the folder, below a zone, that the drop's file was put in; empty for the zone itself."""
    upload = uploads.by_id(conn, drop.upload_id)
    return (upload.feed if upload else None) or ""

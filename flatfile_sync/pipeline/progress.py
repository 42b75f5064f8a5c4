"""`.progress.json`: how far a running drop has come, rewritten at most every two seconds."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import iso
from flatfile_sync.domain.drop import Drop
from flatfile_sync.pipeline import documents
from flatfile_sync.pipeline.ack import folder_of
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import artefacts
from flatfile_sync.store.artefacts import Artefact

log = structlog.get_logger()

_EVERY: Final = timedelta(seconds=2)


class Progress:
    """Takes notes from the steps of one drop and publishes some of them; it never holds a step up."""

    def __init__(self, drop: Drop, *, kit: Kit) -> None:
        self._drop, self._kit = drop, kit
        # The first note is worth publishing only once a drop has been running for a while.
        self._next: datetime = kit.clock() + _EVERY
        self._writing: asyncio.Task[None] | None = None

    def step(self, name: str) -> Callable[[int], None]:
        """Return a function that notes how many records a step has done."""

        def note(records: int) -> None:
            now = self._kit.clock()
            if now >= self._next and (self._writing is None or self._writing.done()):
                self._next = now + _EVERY
                self._writing = asyncio.create_task(self._publish(name, records, now))

        return note

    async def end(self) -> None:
        """Wait for the last note, so that it cannot appear after the report."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def _publish(self, step: str, records: int, now: datetime) -> None:
        try:
            await self._show(step, records, now)
        except Exception as error:  # noqa: BLE001 - a full disk or a newer daemon: the step itself will say so
            log.warning("progress_failed", drop=self._drop.id, error=type(error).__name__)

    async def _show(self, step: str, records: int, now: datetime) -> None:
        drop, kit = self._drop, self._kit
        note = documents.Progress(drop_id=drop.id, file=drop.file_name, step=step, records=records, at=iso(now))
        data = documents.encoded(note)
        blob = f"{drop.id}.progress.{secrets.token_hex(4)}"
        # Not durable on purpose: after a crash it is rewritten or replaced by the summary.
        sha256 = await asyncio.to_thread(kit.spool.put, blob, data, durable=False)

        def show(conn: Connection) -> str | None:
            return artefacts.upsert(
                conn,
                Artefact(
                    account=drop.account,
                    zone="outbox",
                    feed=folder_of(conn, drop),
                    name=f"{drop.result_name}.progress.json",
                    blob=blob,
                    size=len(data),
                    sha256=sha256,
                    drop_id=drop.id,
                    created_at=now,
                ),
            )

        replaced = await kit.store.write(show)
        if replaced is not None:
            await asyncio.to_thread(kit.spool.delete, replaced)

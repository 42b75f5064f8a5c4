"""Fetch: a device has the pass as it is now, so what was pushed for it has arrived.

Fetches come by the thousand after a large file: they are gathered and written once a second. A daemon that is killed
in between forgets the last of them; those deliveries stand as `unconfirmed` in the end, never as failed.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog
from sqlalchemy.engine import Connection

from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.failures import StaleEpochError, trail
from flatfile_sync.domain.states import Outcome, Platform
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline.counting import count
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import deliveries

_EVERY: Final = 1.0
_KEPT: Final = timedelta(minutes=1)

_log = structlog.get_logger()


class _Fetch(NamedTuple):
    revision: int
    at: datetime


class Fetches:
    """Gathers fetches and settles the deliveries they answer; one of the daemon's long-lived parts."""

    def __init__(self, kit: Kit, *, every: float = _EVERY) -> None:
        self.ready = asyncio.Event()
        self._kit, self._every = kit, every
        self._seen: dict[int, _Fetch] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, pass_no: int, revision: int) -> None:
        """Remember that a device was handed a pass at a revision; called in the loop's thread."""
        before = self._seen.get(pass_no)
        if before is None or before.revision <= revision:
            self._seen[pass_no] = _Fetch(revision, self._kit.clock())

    async def run(self, stop: asyncio.Event) -> None:
        """Write what was gathered, again and again, and once more at the end."""
        self.ready.set()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)
            try:
                await self.flush()
            except StaleEpochError:
                raise
            except Exception as error:  # noqa: BLE001 - a database that is away for a moment comes back
                _log.error("fetches_not_settled", trail=trail(error))

    async def flush(self) -> None:
        """Write what was gathered now."""
        if not self._seen:
            return
        seen = sorted((number, fetch.revision) for number, fetch in self._seen.items())
        answered = await self._kit.store.write(lambda conn: self._settle(conn, seen))
        kept = self._kit.clock() - _KEPT
        for number, revision in seen:
            fetch = self._seen[number]
            # A fetch may overtake the answer to the push that it follows: it is looked at again for a while.
            if fetch.revision == revision and (number in answered or fetch.at <= kept):
                del self._seen[number]

    def _settle(self, conn: Connection, seen: list[tuple[int, int]]) -> set[int]:
        kit = self._kit
        found = deliveries.fetched(conn, Platform.APPLE.value, seen, now=kit.clock())
        count(conn, Figure.DELIVERIES, Platform.APPLE.value, Outcome.FETCHED, kit=kit, by=len(found))
        for drop_id in sorted({drop_id for _, drop_id in found if drop_id}):
            if not deliveries.any_open(conn, drop_id):
                kit.engine.submit(conn, TaskKind.ADVANCE, drop_id)
        return {number for number, _ in found}

"""What happens at fixed times: APScheduler keeps the time, the daemon gives the work.

Every job has a period, counted from the same moment in every process, and a counter in the store holds the last
period that was taken: of any number of processes one does the work, and after a standstill it is done once, at the
start, however many periods were missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from flatfile_sync.domain.clock import Clock, utc_now
from flatfile_sync.domain.failures import StaleEpochError
from flatfile_sync.store import counters
from flatfile_sync.store.database import Store

_START = datetime(1970, 1, 1, tzinfo=UTC)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work for every period; `offset` is how long after the period's beginning (midnight UTC for a day) it is due."""

    name: str
    run: Callable[[], Awaitable[object]]
    every: timedelta
    offset: timedelta = timedelta(0)

    def period(self, now: datetime) -> int:
        """Return the number of the period whose moment has come last."""
        return (now - _START - self.offset) // self.every


class Calendar:
    """Runs jobs at their times in the event loop; the same job never twice at once."""

    def __init__(self, store: Store, jobs: Sequence[Job], *, clock: Clock = utc_now) -> None:
        self.ready = asyncio.Event()
        self._store = store
        self._jobs = tuple(jobs)
        self._clock = clock
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the calendar until `stop` is set or `stop()` called; then end what is running and return."""
        scheduler = AsyncIOScheduler(timezone=UTC)
        for job in self._jobs:
            scheduler.add_job(
                self._due,
                IntervalTrigger(seconds=job.every.total_seconds(), start_date=_START + job.offset, timezone=UTC),
                args=[job],
                id=job.name,
                coalesce=True,
                max_instances=1,
                # However late the loop is: the period is still the current one, or the next has taken its place.
                misfire_grace_time=None,
            )
        scheduler.start()
        forward = asyncio.create_task(self._forward(stop))
        try:
            for job in self._jobs:
                await self._due(job)
            self.ready.set()
            await self._stop.wait()
        finally:
            self._stop.set()
            forward.cancel()
            scheduler.shutdown(wait=False)
            await self._drain()

    def stop(self) -> None:
        """Start no further job; may be called twice, in the loop's thread."""
        self._stop.set()

    async def idle(self) -> None:
        """Wait until no job is running."""
        await self._drain()

    async def _due(self, job: Job) -> None:
        # The scheduler cancels what it runs itself when it shuts down; what we run is ended in peace.
        if job.name not in self._running and not self._stop.is_set():
            self._running[job.name] = asyncio.create_task(self._take(job), name=f"calendar {job.name}")

    async def _take(self, job: Job) -> None:
        try:
            period = job.period(self._clock())
            if await self._store.write(lambda conn: counters.raise_to(conn, f"calendar {job.name}", period)):
                await job.run()
        except StaleEpochError as error:
            _log.critical("epoch_stale", job=job.name, reason=str(error))
            self.stop()
        except Exception:  # noqa: BLE001 - the next period tries again
            _log.exception("calendar_job_failed", job=job.name)
        finally:
            del self._running[job.name]

    async def _forward(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stop()

    async def _drain(self) -> None:
        while running := list(self._running.values()):
            await asyncio.wait(running)

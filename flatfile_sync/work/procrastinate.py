"""The engine of several processes: Procrastinate's tables in the PostgreSQL that holds ours.

A submission is a row of the transaction that makes it necessary. Procrastinate carries; it decides nothing: no
retries of its own (they stand in our tables), and a job of a process that died is removed, since the sweep knows what
is outstanding. See `store.jobs` for what its locks are used for.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.schema import SchemaManager

from flatfile_sync.domain.clock import Clock, utc_now
from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.domain.failures import StaleEpochError
from flatfile_sync.store import jobs
from flatfile_sync.store.database import Store
from flatfile_sync.work.handling import Handlers, Sweep, handle, pause, swept

_HEARTBEAT = 2.0
_SILENT = timedelta(seconds=10)
_IDLE_LOOK = 0.02

_log = structlog.get_logger()


def prepare(store: Store) -> None:
    """Install Procrastinate's tables in the store's database if they are not there."""
    if not store.read_now(jobs.is_installed):
        store.write_now(lambda conn: jobs.install(conn, SchemaManager.get_schema()))


class Procrastinate:
    """Runs tasks in the event loop, at most `concurrency` at a time, of one kind the smaller priorities first.

    Any number of processes may do so on one database. One kind never takes the last slot (if there is more than one).
    `poll` is how late, in seconds, an alarm may be.
    """

    def __init__(
        self,
        store: Store,
        *,
        handlers: Handlers,
        sweep: Sweep,
        concurrency: int = 4,
        sweep_every: float = 30.0,
        poll: float = 1.0,
        clock: Clock = utc_now,
    ) -> None:
        self.ready = asyncio.Event()
        self._store = store
        self._handlers = handlers
        self._sweep = sweep
        self._sweep_every = sweep_every
        self._poll = poll
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrency)
        self._slots_of_kind = max(1, concurrency - 1)
        self._running: set[asyncio.Task[Any]] = set()
        self._stop = asyncio.Event()
        address = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._app = App(connector=PsycopgConnector(conninfo=address, min_size=1, max_size=len(TaskKind) + 2))
        self._app.task(name=jobs.RUN)(self._run)
        self._app.task(name=jobs.ALARM)(self._ring)

    def submit(
        self, connection: Any, kind: TaskKind, key: str, *, not_before: datetime | None = None, priority: int = 0
    ) -> None:
        """Note that work is due, as a row of the transaction on `connection`."""
        task = Task(priority=priority, kind=kind, key=key, not_before=not_before)
        jobs.submit(connection, task, now=self._clock())

    async def run(self, stop: asyncio.Event) -> None:
        """Run what is due until `stop` is set or `stop()` called; then end what is running and return.

        Cancelling it cancels what is running. A stale epoch ends it too.
        """
        # Its lines about each job's beginning and end say nothing that ours do not.
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        async with self._app.open_async():
            workers = [asyncio.create_task(self._work(kind, self._slots_of_kind)) for kind in TaskKind]
            workers.append(asyncio.create_task(self._work(jobs.ALARM, 1)))
            helpers = [asyncio.create_task(self._forward(stop)), asyncio.create_task(self._sweep_regularly())]
            try:
                await self._stop.wait()
                await self._drain(workers)
            except asyncio.CancelledError:
                for task in self._running:
                    task.cancel()
                await self._drain(workers)
                raise
            finally:
                self._stop.set()
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)

    def stop(self) -> None:
        """Start no further task; may be called twice, in the loop's thread."""
        self._stop.set()

    async def idle(self) -> None:
        """Wait until nothing is due now nor running anywhere, or until the engine has stopped."""
        await asyncio.wait(
            [asyncio.ensure_future(self.ready.wait()), asyncio.ensure_future(self._stop.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        while not self._stop.is_set() and (await self._store.read(jobs.busy)) > 0:
            await pause(self._stop, _IDLE_LOOK)

    async def _work(self, queue: str, concurrency: int) -> None:
        while not self._stop.is_set():
            try:
                await self._app.run_worker_async(
                    queues=[queue],
                    name=queue,
                    concurrency=concurrency,
                    fetch_job_polling_interval=self._poll,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=_HEARTBEAT,
                    stalled_worker_timeout=_SILENT.total_seconds(),
                )
            except Exception:  # noqa: BLE001 - the database went away; it may come back
                _log.exception("worker_failed", queue=queue)
            await pause(self._stop, self._poll)

    async def _run(self, kind: str, key: str, priority: int) -> None:
        task = Task(priority=priority, kind=TaskKind(kind), key=key)
        self._running.add(current := _current())
        try:
            async with self._slots:
                # Whatever is submitted while the handler runs leads to one more run, here and now: the next look at
                # the queue may be a second away.
                again = True
                while again and not self._stop.is_set():
                    await self._store.write(lambda conn: jobs.take_along(conn, task))
                    if not await handle(self._handlers, task.kind, task.key):
                        self.stop()
                        return
                    again = await self._store.read(lambda conn: jobs.waits(conn, task))
                if again:
                    # Taken from the queue while this process was told to stop: another one, or the next start, runs it.
                    await self._store.write(lambda conn: jobs.submit(conn, task, now=self._clock()))
        finally:
            self._running.discard(current)

    async def _ring(self, kind: str, key: str, priority: int) -> None:
        task = Task(priority=priority, kind=TaskKind(kind), key=key)
        await self._store.write(lambda conn: jobs.submit(conn, task, now=self._clock()))

    async def _forward(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stop()

    async def _sweep_regularly(self) -> None:
        while True:
            try:
                await self._sweep_once()
            except StaleEpochError as error:
                _log.critical("epoch_stale", reason=str(error))
                self.stop()
                return
            except Exception:  # noqa: BLE001 - the database went away; it may come back
                _log.exception("sweep_failed")
            self.ready.set()
            if await pause(self._stop, self._sweep_every):
                return

    async def _sweep_once(self) -> None:
        if dead := await self._store.write(lambda conn: jobs.clear_dead(conn, silent_for=_SILENT)):
            _log.warning("jobs_of_dead_workers_removed", jobs=dead)
        found = await swept(self._sweep)
        await self._store.write(lambda conn: jobs.submit_missing(conn, found, now=self._clock()))

    async def _drain(self, workers: list[asyncio.Task[None]]) -> None:
        # To a worker, being cancelled means: take no further job, wait for those that run.
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("A job runs in a task.")
    return task

"""The engine of one process: what is due lives in memory, and the sweep over the tables finds what memory lost.

A key is due at once, due at a later moment (its alarm), running, or several of these::

    submit(not_before later) --> alarm --its moment--> due --a slot is free--> running --> (gone)
    submit ------------------------------------------> due                        |
                                                        ^------- submit ----------'   one more run after this one

Of several alarms of a key only the earliest is kept: a run looks at the tables for all there is to do, and asks for
what is still to come.
"""

import asyncio
import heapq
import itertools
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from flatfile_sync.domain.clock import Clock, utc_now
from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.domain.failures import StaleEpochError
from flatfile_sync.store.database import after_commit
from flatfile_sync.work.handling import Handlers, Sweep, handle, pause, swept

_Key = tuple[TaskKind, str]
# The wall clock may be set while we wait for an alarm: look at it at least this often.
_LONGEST_WAIT = 30.0

_log = structlog.get_logger()


class InProcess:
    """Runs tasks in the event loop, at most `concurrency` at a time, smaller priorities first.

    One kind never takes the last slot (if there is more than one), so that deliveries go on beside long drops; with
    `limits` a kind takes fewer.
    """

    def __init__(
        self,
        *,
        handlers: Handlers,
        sweep: Sweep,
        concurrency: int = 4,
        limits: Mapping[TaskKind, int] | None = None,
        sweep_every: float = 30.0,
        clock: Clock = utc_now,
    ) -> None:
        self.ready = asyncio.Event()
        self._handlers = handlers
        self._sweep = sweep
        self._sweep_every = sweep_every
        self._clock = clock
        self._slots = concurrency
        self._slots_of_kind = dict.fromkeys(TaskKind, max(1, concurrency - 1)) | dict(limits or {})
        # Filled by the store's threads, emptied by the loop; both ends of a deque are safe without a lock.
        self._inbox: deque[Task] = deque()
        self._due: dict[_Key, tuple[int, int]] = {}  # priority, then order of submission
        self._queues: dict[TaskKind, list[tuple[int, int, _Key]]] = {kind: [] for kind in TaskKind}
        self._order = itertools.count()
        self._alarms: dict[_Key, Task] = {}
        self._running: dict[_Key, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idlers: list[asyncio.Future[None]] = []

    def submit(
        self, connection: Any, kind: TaskKind, key: str, *, not_before: datetime | None = None, priority: int = 0
    ) -> None:
        """Note that work is due once the transaction of `Store.write` on `connection` has committed."""
        task = Task(priority=priority, kind=kind, key=key, not_before=not_before)
        after_commit(connection, partial(self._receive, task))

    async def run(self, stop: asyncio.Event) -> None:
        """Run what is due until `stop` is set or `stop()` called; then end what is running and return.

        Cancelling it cancels what is running. A stale epoch ends it too.
        """
        self._loop = asyncio.get_running_loop()
        helpers = [asyncio.create_task(self._forward(stop)), asyncio.create_task(self._sweep_regularly())]
        try:
            while not self._stop.is_set():
                self._changed.clear()
                self._sort_in()
                self._start_what_fits()
                self._tell_idlers()
                await self._wait()
            await self._drain()
        except asyncio.CancelledError:
            for task in self._running.values():
                task.cancel()
            await self._drain()
            raise
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._stop.set()
            self._tell_idlers(always=True)

    @property
    def waiting(self) -> int:
        """How much is due and not begun."""
        return len(self._due) + len(self._inbox)

    def stop(self) -> None:
        """Start no further task; may be called twice, in the loop's thread."""
        self._stop.set()
        self._changed.set()

    def look(self) -> None:
        """Look at the clock again, after it has been set."""
        self._changed.set()

    async def idle(self) -> None:
        """Wait until nothing is due now nor running (alarms may be set), or until the engine has stopped."""
        if self._stop.is_set():
            return
        future = asyncio.get_running_loop().create_future()
        self._idlers.append(future)
        self._changed.set()
        await future

    def _receive(self, task: Task) -> None:
        self._inbox.append(task)
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._changed.set)

    async def _forward(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stop()

    async def _sweep_regularly(self) -> None:
        while True:
            try:
                found = await swept(self._sweep)
            except StaleEpochError as error:
                _log.critical("epoch_stale", reason=str(error))
                self.stop()
                return
            self._inbox.extend(found)
            self._changed.set()
            self.ready.set()
            if await pause(self._stop, self._sweep_every):
                return

    def _sort_in(self) -> None:
        now = self._clock()
        while self._inbox:
            task = self._inbox.popleft()
            if task.not_before is not None and task.not_before > now:
                self._set_alarm(task)
            else:
                self._make_due(task)
        for task in [task for task in self._alarms.values() if task.not_before is None or task.not_before <= now]:
            del self._alarms[task.kind, task.key]
            self._make_due(task)

    def _set_alarm(self, task: Task) -> None:
        key = (task.kind, task.key)
        present = self._alarms.get(key)
        if present is None or _moment(task) < _moment(present):
            self._alarms[key] = task

    def _make_due(self, task: Task) -> None:
        key = (task.kind, task.key)
        if key not in self._due or task.priority < self._due[key][0]:
            self._due[key] = (task.priority, next(self._order))
            if key not in self._running:  # else it is queued when it has ended
                self._enqueue(key)

    def _enqueue(self, key: _Key) -> None:
        heapq.heappush(self._queues[key[0]], (*self._due[key], key))

    def _start_what_fits(self) -> None:
        while len(self._running) < self._slots and (key := self._take_first()) is not None:
            self._running[key] = asyncio.create_task(self._handle(key), name=f"{key[0]} {key[1]}")

    def _take_first(self) -> _Key | None:
        """Return the key to run next, from the kinds that have a slot left."""
        kinds = Counter(kind for kind, _ in self._running)
        open_queues = [queue for kind, queue in self._queues.items() if kinds[kind] < self._slots_of_kind[kind]]
        for queue in open_queues:
            # A key that was submitted again with a better priority has a second entry, and that one counts.
            while queue and self._due.get(queue[0][2]) != queue[0][:2]:
                heapq.heappop(queue)
        first = min((queue for queue in open_queues if queue), default=None)
        if first is None:
            return None
        _, _, key = heapq.heappop(first)
        del self._due[key]
        return key

    async def _handle(self, key: _Key) -> None:
        try:
            if not await handle(self._handlers, *key):
                self.stop()
        finally:
            del self._running[key]
            if key in self._due:
                self._enqueue(key)
            self._changed.set()

    async def _wait(self) -> None:
        seconds = _LONGEST_WAIT
        if self._alarms:
            now = self._clock()
            seconds = min(seconds, *((_moment(task) - now).total_seconds() for task in self._alarms.values()))
        await pause(self._changed, max(seconds, 0.0))

    async def _drain(self) -> None:
        while running := list(self._running.values()):
            await asyncio.wait(running)

    def _tell_idlers(self, *, always: bool = False) -> None:
        if always or (self.ready.is_set() and not self._due and not self._running and not self._inbox):
            for future in _taken(self._idlers):
                if not future.done():
                    future.set_result(None)


def _moment(task: Task) -> datetime:
    if task.not_before is None:
        raise AssertionError("An alarm has its moment.")
    return task.not_before


def _taken(futures: list[asyncio.Future[None]]) -> Iterable[asyncio.Future[None]]:
    while futures:
        yield futures.pop()

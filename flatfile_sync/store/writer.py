"""The threads through which a process writes: by priority, then in the order of submission.

SQLite has one writer, so one thread. PostgreSQL has several, of which bulk work never takes the last: a close at the
door finds a free one even while every other is inside a chunk.
"""

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, TypeVar

from flatfile_sync.domain.failures import TemporaryFailure

T = TypeVar("T")
_Job = tuple[int, int, Callable[[], Any], "Future[Any]"]


class Priority(IntEnum):
    """Who goes first at the writer; smaller is sooner."""

    DOOR = 0  # a partner waits for the answer to a close
    STEP = 1  # a drop moves, a delivery settles
    CHUNK = 2  # the bulk of the work


class Writer:
    """`threads` threads that run jobs; a job that was submitted runs, whatever becomes of who waits for it."""

    def __init__(self, threads: int) -> None:
        self._jobs: list[_Job] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._bulk_limit = max(1, threads - 1)
        self._bulk = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"store-write-{no}", daemon=True) for no in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Callable[[], T], priority: Priority) -> "Future[T]":
        """Queue a job and return the future of its result; `TemporaryFailure` once the writer is closed."""
        future: Future[T] = Future()
        # From here on it can no longer be cancelled: half of the callers would not know whether it had run.
        future.set_running_or_notify_cancel()
        with self._changed:
            if self._closed:
                raise TemporaryFailure("The store is closed: this process is stopping.")
            heapq.heappush(self._jobs, (priority, next(self._order), job, future))
            self._changed.notify()
        return future

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._jobs)

    def close(self) -> None:
        """Run what was submitted, then end the threads; may be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            priority, _, job, future = taken
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the future
                self._release(priority)
                future.set_exception(error)
            else:
                self._release(priority)
                future.set_result(result)
            # A thread that waits for its next job must not keep the last one's arguments alive.
            del taken, job, future

    def _take(self) -> _Job | None:
        with self._changed:
            while True:
                if self._jobs:
                    bulk = self._jobs[0][0] >= Priority.CHUNK
                    if not bulk or self._bulk < self._bulk_limit:
                        self._bulk += bulk
                        return heapq.heappop(self._jobs)
                elif self._closed:
                    return None
                self._changed.wait()

    def _release(self, priority: int) -> None:
        if priority >= Priority.CHUNK:
            with self._changed:
                self._bulk -= 1
                self._changed.notify_all()

"""Opening the database and running work in transactions.

SQLite: every write of the process goes through one thread with a priority queue, so that a close at the door never
waits behind more than one chunk. PostgreSQL: a few such threads; rows are locked, conflicts are retried.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, make_url

from flatfile_sync.domain.failures import StaleEpochError, trail
from flatfile_sync.store import counters, sqlite
from flatfile_sync.store.writer import Priority, Writer

# The doors type what they hand to `Store.write` without speaking SQLAlchemy themselves.
__all__ = ["Connection", "Priority", "Store", "after_commit"]

T = TypeVar("T")
Work = Callable[[Connection], T]

# PostgreSQL: serialization_failure, deadlock_detected and unique_violation (two feeds create one pass at once: run
# again, the second finds it). The transaction had no effect and may run again.
_RETRYABLE = frozenset({"40001", "40P01", "23505"})
_RETRIES = 5
_READERS = 4
_POSTGRESQL_WRITERS = 4
_AFTER_COMMIT = "flatfile_sync.after_commit"

_log = structlog.get_logger()


class Store:
    """A database, its one way in for writes and its readers.

    `epoch` is None for tools beside the daemon; once `begin_epoch` was called, every write transaction fails with
    `StaleEpochError` as soon as a later daemon has begun its own.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.epoch: int | None = None
        self._writer_engine: Engine
        self._reader_engine: Engine
        if self.is_sqlite:
            self._writer_engine = sqlite.open_for_writing(self.url)
            self._reader_engine = sqlite.open_for_reading(self.url, threads=_READERS)
        else:
            # A pinged connection survives a restart of the server: a dead one is replaced before its transaction.
            self._writer_engine = self._reader_engine = sa.create_engine(
                self.url,
                pool_size=_READERS + _POSTGRESQL_WRITERS,
                max_overflow=_READERS,
                pool_pre_ping=True,
                # The text of an error goes into tracebacks; a partner's values do not.
                hide_parameters=True,
            )
        self._writer = Writer(1 if self.is_sqlite else _POSTGRESQL_WRITERS)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")

    @property
    def waiting(self) -> int:
        """How many writes wait for their turn."""
        return self._writer.waiting

    def begin_epoch(self) -> int:
        """Raise the epoch: from here on no worker of an earlier one can commit."""
        self.epoch = self.write_now(lambda conn: counters.advance(conn, "epoch"))
        return self.epoch

    async def write(self, work: Work[T], *, priority: Priority = Priority.STEP) -> T:
        """Run `work(connection)` in one write transaction and return what it returned, after the commit.

        The work may run again after a conflict (PostgreSQL), so it has no effect outside the connection except
        files with names of their own. A caller that is cancelled stops waiting; the work is done all the same.
        """
        future = self._writer.submit(lambda: self.write_now(work), priority)
        return await asyncio.shield(asyncio.wrap_future(future))

    async def read(self, work: Work[T]) -> T:
        """Run `work(connection)` on one consistent snapshot in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def write_now(self, work: Work[T]) -> T:
        """Run a write transaction in the calling thread."""
        for attempt in itertools.count(1):
            try:
                result, hooks = self._transact(work)
            except Exception as error:
                if _sqlstate(error) not in _RETRYABLE or attempt == _RETRIES:
                    raise
                # The other side of the conflict needs a moment to end; without it both may meet again.
                time.sleep(0.01 * attempt)
            else:
                for hook in hooks:
                    _call(hook)
                return result
        raise AssertionError  # the loop above never ends by itself

    def read_now(self, work: Work[T]) -> T:
        """Run a read on one snapshot in the calling thread."""
        with self.snapshot() as conn:
            return work(conn)

    def snapshot(self) -> AbstractContextManager[Connection]:
        """Open a read-only connection whose reads all see the moment of the first of them."""
        if self.is_sqlite:
            return self._reader_engine.begin()
        return _repeatable_read(self._reader_engine)

    def close(self) -> None:
        """Finish what was submitted and close all connections; may be called twice."""
        self._writer.close()
        self._readers.shutdown(wait=True)
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    def _transact(self, work: Work[T]) -> tuple[T, list[Callable[[], None]]]:
        with self._writer_engine.begin() as conn:
            hooks: list[Callable[[], None]] = []
            conn.info[_AFTER_COMMIT] = hooks
            try:
                if self.epoch is not None and counters.current(conn, "epoch", share=True) != self.epoch:
                    raise StaleEpochError("A newer daemon has taken over this data; this one stops writing.")
                result = work(conn)
            finally:
                # The dictionary belongs to the pooled connection and outlives the transaction.
                conn.info.pop(_AFTER_COMMIT, None)
        return result, hooks


def after_commit(conn: Connection, hook: Callable[[], None]) -> None:
    """Call `hook()` in the writer's thread once the transaction of `Store.write` on this connection has committed.

    It is not called if the transaction rolls back, nor for an attempt that met a conflict and was repeated.
    """
    hooks: list[Callable[[], None]] | None = conn.info.get(_AFTER_COMMIT)
    if hooks is None:
        raise RuntimeError("Only a transaction of Store.write tells when it has committed.")
    hooks.append(hook)


def _call(hook: Callable[[], None]) -> None:
    try:
        hook()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is logged and ends here
        # What was written is written: whoever waits for it must not be told otherwise.
        _log.error("after_commit_failed", trail=trail(error))


def _sqlstate(error: Exception) -> str | None:
    # COPY goes past SQLAlchemy, so psycopg's own errors arrive here too.
    return getattr(getattr(error, "orig", error), "sqlstate", None)


@contextmanager
def _repeatable_read(engine: Engine) -> Iterator[Connection]:
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect() as conn, conn.execution_options(**options).begin():
        yield conn

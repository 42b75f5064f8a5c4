"""Opening SQLite: write-ahead log, a lock that is taken at once, a log that does not grow for ever.

A data folder has one daemon, but the command line opens the same file beside it, so waiting for the write lock is
part of the design.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

_BUSY = 30.0  # seconds one waits for another process's transaction
_POLL = 0.001
_WAL_LIMIT = 64 * 1024 * 1024
# Pages of the log after which a commit copies it back. At SQLite's own 1,000 every chunk does, and writes the same
# pages of the indexes again and again; with 16 MB a million rows commit in two thirds of the time.
_CHECKPOINT_PAGES = 4_000
_READERS_MAY_END = 100  # milliseconds a checkpoint waits for readers of an old snapshot
_CHECKPOINT_PAUSE = 5.0


def open_for_writing(url: sa.URL) -> Engine:
    """Return an engine whose transactions hold the write lock from their first statement."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = _open(url, "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-65536", pool_size=1)
    log = _Log(Path(f"{url.database}-wal"))
    sa.event.listen(engine, "begin", _begin_immediate)
    sa.event.listen(engine.pool, "checkin", lambda connection, _record: log.keep_short(connection))
    return engine


def open_for_reading(url: sa.URL, *, threads: int) -> Engine:
    """Return an engine whose transactions are snapshots; a write on it is refused."""
    # Small caches: each reader has one of its own, and the operating system keeps the file's pages for all of them.
    engine = _open(url, "PRAGMA query_only=ON", "PRAGMA cache_size=-8192", pool_size=threads + 1)
    sa.event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
    return engine


def _open(url: sa.URL, *pragmas: str, pool_size: int) -> Engine:
    engine = sa.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        hide_parameters=True,  # the text of an error goes into tracebacks; a partner's values do not
        connect_args={"check_same_thread": False, "timeout": _BUSY},
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: reads get a snapshot, writes the lock at once
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit that was answered survives a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        cursor.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT}")
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    return engine


def _begin_immediate(conn: Connection) -> None:
    # SQLite's own wait sleeps up to 100 ms between looks, and starves beside a daemon that begins its next chunk
    # a few milliseconds after the last; looking every millisecond finds the gap.
    driver: Any = conn.connection.driver_connection
    deadline = time.monotonic() + _BUSY
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)
            else:
                return
    finally:
        driver.execute(f"PRAGMA busy_timeout={int(_BUSY * 1000)}")


class _Log:
    """The write-ahead log as a file.

    SQLite copies it back into the database after each commit, but starts it anew only when no reader needs it: a dry
    run's long snapshot beside a million rows makes it grow. Past the limit, the writer waits a moment for the readers
    and cuts it (https://sqlite.org/wal.html, "Avoiding Excessively Large WAL Files").
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._next_try = 0.0

    def keep_short(self, connection: Any) -> None:
        """Cut the log if it is too long; called with a connection that is in no transaction."""
        if connection is None or time.monotonic() < self._next_try or self._size() <= _WAL_LIMIT:
            return
        self._next_try = time.monotonic() + _CHECKPOINT_PAUSE
        connection.execute(f"PRAGMA busy_timeout={_READERS_MAY_END}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.execute(f"PRAGMA busy_timeout={int(_BUSY * 1000)}")

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except FileNotFoundError:
            return 0

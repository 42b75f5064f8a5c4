import asyncio
import contextlib
import subprocess
import sys
import threading
import time

import psycopg
import pytest
import sqlalchemy as sa

from flatfile_sync.domain.failures import StaleEpochError, TemporaryFailure
from flatfile_sync.store import counters, sqlite
from flatfile_sync.store.database import Priority, Store, after_commit
from flatfile_sync.store.tables import chunks

PATIENCE = 20


async def test_a_write_is_answered_with_what_the_work_returned_once_everybody_can_read_it(store):
    assert await store.write(lambda conn: counters.advance(conn, "close_seq")) == 1
    assert await store.read(lambda conn: counters.current(conn, "close_seq")) == 1


async def test_work_that_raises_leaves_nothing_behind_and_the_store_goes_on(store):
    def fail(conn):
        counters.advance(conn, "close_seq")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        await store.write(fail)
    assert await store.write(lambda conn: counters.advance(conn, "close_seq")) == 1


async def test_a_close_at_the_door_overtakes_the_chunks_that_are_queued(store):
    order, begun, may_go_on = [], threading.Event(), threading.Event()

    def chunk(_conn):
        begun.set()
        assert may_go_on.wait(PATIENCE)
        order.append("chunk")

    waiting = [asyncio.create_task(store.write(chunk, priority=Priority.CHUNK)) for _ in range(50)]
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    door = asyncio.create_task(store.write(lambda _conn: order.append("door"), priority=Priority.DOOR))
    await asyncio.sleep(0)
    if not store.is_sqlite:
        await door  # PostgreSQL has a writer to spare; SQLite's one must first end the chunk it is in
    may_go_on.set()
    await asyncio.gather(door, *waiting)
    assert order.index("door") == (1 if store.is_sqlite else 0)
    assert order.count("chunk") == 50


async def test_on_postgresql_bulk_work_never_takes_the_last_writer(postgresql_store):
    store, may_go_on = postgresql_store, threading.Event()
    waiting = [
        asyncio.create_task(store.write(lambda _conn: may_go_on.wait(PATIENCE), priority=Priority.CHUNK))
        for _ in range(20)
    ]
    try:
        async with asyncio.timeout(PATIENCE):
            assert await store.write(lambda _conn: "answered", priority=Priority.DOOR) == "answered"
    finally:
        may_go_on.set()
        await asyncio.gather(*waiting)


async def test_writes_of_one_priority_keep_their_order(sqlite_store):
    order = []
    await asyncio.gather(*(sqlite_store.write(lambda _conn, no=no: order.append(no)) for no in range(30)))
    assert order == list(range(30))


async def test_a_write_is_done_although_nobody_waits_for_it_any_more(store):
    may_go_on = threading.Event()
    ahead = [
        asyncio.create_task(store.write(lambda _conn: may_go_on.wait(PATIENCE), priority=Priority.DOOR))
        for _ in range(4)
    ]
    abandoned = asyncio.create_task(store.write(lambda conn: counters.advance(conn, "close_seq")))
    await asyncio.sleep(0)
    abandoned.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await abandoned
    may_go_on.set()
    await asyncio.gather(*ahead)
    store.close()
    assert store.read_now(lambda conn: counters.current(conn, "close_seq")) == 1


async def test_a_daemon_of_an_older_epoch_can_no_longer_write_but_may_read(store):
    newer = Store(store.url.render_as_string(hide_password=False))
    assert store.begin_epoch() == 1
    await store.write(lambda conn: counters.advance(conn, "close_seq"))
    assert newer.begin_epoch() == 2
    with pytest.raises(StaleEpochError):
        await store.write(lambda conn: counters.advance(conn, "close_seq"))
    assert await store.read(lambda conn: counters.current(conn, "close_seq")) == 1
    assert await newer.write(lambda conn: counters.advance(conn, "close_seq")) == 2
    newer.close()


def test_a_new_epoch_waits_for_the_write_that_is_still_under_way(store):
    newer = Store(store.url.render_as_string(hide_password=False))
    begun, may_go_on, seen = threading.Event(), threading.Event(), []
    store.begin_epoch()

    def slow(conn):
        begun.set()
        assert may_go_on.wait(PATIENCE)
        return counters.advance(conn, "close_seq")

    def take_over():
        newer.begin_epoch()
        seen.append(newer.read_now(lambda conn: counters.current(conn, "close_seq")))

    threads = [threading.Thread(target=store.write_now, args=(slow,)), threading.Thread(target=take_over)]
    threads[0].start()
    assert begun.wait(PATIENCE)
    threads[1].start()
    may_go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == [1]
    newer.close()


def test_a_snapshot_sees_one_moment_and_cannot_write(store):
    with store.snapshot() as conn:
        assert counters.current(conn, "close_seq") == 0
        store.write_now(lambda other: counters.advance(other, "close_seq"))
        assert counters.current(conn, "close_seq") == 0
        with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
            counters.advance(conn, "close_seq")
    assert store.read_now(lambda conn: counters.current(conn, "close_seq")) == 1
    # The connection goes back to the pool as it came.
    store.write_now(lambda conn: counters.advance(conn, "close_seq"))


def test_a_hook_runs_after_the_commit_and_not_after_a_rollback(store):
    seen = []

    def work(conn, *, fail):
        after_commit(conn, lambda: seen.append(store.read_now(lambda other: counters.current(other, "close_seq"))))
        counters.advance(conn, "close_seq")
        if fail:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.write_now(lambda conn: work(conn, fail=True))
    assert seen == []
    store.write_now(lambda conn: work(conn, fail=False))
    assert seen == [1]


async def test_a_hook_that_fails_does_not_make_a_committed_write_look_failed(store):
    def work(conn):
        after_commit(conn, lambda: 1 / 0)
        return counters.advance(conn, "close_seq")

    assert await store.write(work) == 1


def test_a_hook_wants_a_transaction_of_the_store(store):
    with store.snapshot() as conn, pytest.raises(RuntimeError, match=r"Store\.write"):
        after_commit(conn, lambda: None)


def test_a_deadlock_on_postgresql_ends_with_both_transactions_done_once(postgresql_store):
    store, meeting, attempts, hooks = postgresql_store, threading.Barrier(2), [], []

    def work(conn, first, second):
        attempts.append(first)
        after_commit(conn, lambda: hooks.append(first))
        counters.advance(conn, first)
        if attempts.count(first) == 1:
            meeting.wait(PATIENCE)
        counters.advance(conn, second)

    threads = [
        threading.Thread(target=store.write_now, args=(lambda conn, pair=pair: work(conn, *pair),))
        for pair in (("tag", "close_seq"), ("close_seq", "tag"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(attempts) == 3
    assert sorted(hooks) == ["close_seq", "tag"]
    assert store.read_now(lambda conn: [counters.current(conn, name) for name in ("tag", "close_seq")]) == [2, 2]


@pytest.mark.parametrize("failures", [4, 5])
def test_a_conflict_met_past_sqlalchemy_is_retried_five_times_at_most(postgresql_store, failures):
    attempts = []

    def work(conn):
        counters.advance(conn, "close_seq")
        attempts.append(None)
        if len(attempts) <= failures:
            raise psycopg.errors.SerializationFailure

    if failures < 5:
        postgresql_store.write_now(work)
    else:
        with pytest.raises(psycopg.errors.SerializationFailure):
            postgresql_store.write_now(work)
    assert len(attempts) == 5
    closed = postgresql_store.read_now(lambda conn: counters.current(conn, "close_seq"))
    assert closed == (1 if failures < 5 else 0)


def test_a_connection_that_the_server_has_ended_is_replaced(postgresql_store):
    # The server ends every other connection of this database, as a restart does.
    def end_others(conn):
        conn.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).all()

    with postgresql_store.snapshot() as first:
        counters.current(first, "tag")
        postgresql_store.write_now(lambda conn: counters.advance(conn, "tag"))
        end_others(first)
    assert postgresql_store.write_now(lambda conn: counters.advance(conn, "tag")) == 2


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30000)]
)
def test_sqlite_is_opened_for_durability(sqlite_store, pragma, value):
    assert sqlite_store.write_now(lambda conn: conn.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()) == value


_BUSY_DAEMON = """
import sqlite3, sys, time
conn = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
print("ready", flush=True)
while True:
    conn.execute("BEGIN IMMEDIATE")
    conn.execute("UPDATE counters SET value = value + 1 WHERE name = 'tag'")
    time.sleep(0.06)
    conn.execute("COMMIT")
    time.sleep(0.004)
"""


def test_a_second_process_gets_its_turn_beside_a_daemon_that_writes_all_the_time(sqlite_store):
    with subprocess.Popen(
        [sys.executable, "-c", _BUSY_DAEMON, sqlite_store.url.database], stdout=subprocess.PIPE
    ) as daemon:
        try:
            assert daemon.stdout.readline() == b"ready\n"
            started = time.monotonic()
            for expected in range(1, 6):
                assert sqlite_store.write_now(lambda conn: counters.advance(conn, "close_seq")) == expected
            assert time.monotonic() - started < 10
        finally:
            daemon.kill()


def test_the_write_ahead_log_is_cut_once_the_reader_that_held_it_has_gone(sqlite_store, monkeypatch, tmp_path):
    monkeypatch.setattr(sqlite, "_WAL_LIMIT", 1_000_000)
    monkeypatch.setattr(sqlite, "_CHECKPOINT_PAUSE", 0.0)
    log = tmp_path / "flatfile.db-wal"

    def write(conn, no):
        row = {"drop_id": "d", "no": no, "kind": "main", "records": 1, "plan_file": "x" * 100_000}
        conn.execute(sa.insert(chunks), row)

    with sqlite_store.snapshot() as conn:
        counters.current(conn, "tag")
        for no in range(30):
            sqlite_store.write_now(lambda conn, no=no: write(conn, no))
        assert log.stat().st_size > 2_000_000
    sqlite_store.write_now(lambda conn: write(conn, 30))
    assert log.stat().st_size <= 1_000_000


def test_a_closed_store_has_finished_what_was_submitted_and_refuses_more(store):
    done = []

    async def scenario():
        submitted = [asyncio.ensure_future(store.write(lambda _conn, no=no: done.append(no))) for no in range(20)]
        await asyncio.sleep(0)
        await asyncio.to_thread(store.close)
        store.close()
        assert sorted(done) == list(range(20))
        await asyncio.gather(*submitted)
        with pytest.raises(TemporaryFailure, match="closed"):
            await store.write(lambda _conn: None)

    asyncio.run(scenario())

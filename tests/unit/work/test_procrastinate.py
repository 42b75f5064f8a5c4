import asyncio
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.store import jobs
from flatfile_sync.work.procrastinate import Procrastinate, prepare

PATIENCE = 20
ADVANCE = TaskKind.ADVANCE


@pytest.fixture
def store(postgresql_store):
    prepare(postgresql_store)
    return postgresql_store


async def _nothing():
    return ()


async def _running(engine):
    stop = asyncio.Event()
    task = asyncio.create_task(engine.run(stop))
    async with asyncio.timeout(PATIENCE):
        await engine.ready.wait()
    return stop, task


def _rows(store, condition="true"):
    query = sa.text(f"SELECT count(*) FROM procrastinate_jobs WHERE {condition}")
    return store.read_now(lambda conn: conn.scalar(query))


def test_preparing_twice_is_preparing_once(store):
    prepare(store)
    assert store.read_now(jobs.is_installed)


async def test_two_engines_share_the_work_and_never_a_key(store):
    runs, together, most = Counter(), Counter(), Counter()

    async def handler(key):
        runs[key] += 1
        together[key] += 1
        most[key] = max(most[key], together[key])
        await asyncio.sleep(0)
        together[key] -= 1

    engines = [Procrastinate(store, handlers={ADVANCE: handler}, sweep=_nothing, poll=0.05) for _ in range(2)]
    started = [await _running(engine) for engine in engines]
    for round_no in range(5):
        await store.write(
            lambda conn, engine=engines[round_no % 2]: [engine.submit(conn, ADVANCE, f"drop {no}") for no in range(6)]
        )
    async with asyncio.timeout(PATIENCE):
        await engines[0].idle()
    assert set(most.values()) == {1}
    assert len(runs) == 6
    assert all(1 <= count <= 5 for count in runs.values())
    for stop, task in started:
        stop.set()
        await task
    assert _rows(store) == 0


async def test_a_submission_outlives_the_process_that_made_it(store):
    ran = asyncio.Event()

    async def handler(_key):
        ran.set()

    first = Procrastinate(store, handlers={}, sweep=_nothing)
    await store.write(lambda conn: first.submit(conn, ADVANCE, "a"))
    stop, task = await _running(Procrastinate(store, handlers={ADVANCE: handler}, sweep=_nothing, poll=0.05))
    async with asyncio.timeout(PATIENCE):
        await ran.wait()
    stop.set()
    await task


async def test_two_transactions_submit_the_same_key_without_waiting_for_each_other(store):
    engine = Procrastinate(store, handlers={}, sweep=_nothing)

    def outer(conn):
        engine.submit(conn, ADVANCE, "a")
        engine.submit(conn, ADVANCE, "a", not_before=utc_now() + timedelta(days=1))
        # Another thread of the same process writes and commits in between.
        return asyncio.run(asyncio.wait_for(store.write(inner), PATIENCE))

    def inner(conn):
        engine.submit(conn, ADVANCE, "a")
        engine.submit(conn, ADVANCE, "a", not_before=utc_now() + timedelta(days=1))
        return "committed first"

    assert await asyncio.to_thread(store.write_now, outer) == "committed first"


def test_sweeping_again_and_again_adds_nothing_to_what_waits_already(store):
    now = utc_now()
    tasks = [
        Task(priority=0, kind=ADVANCE, key="now"),
        Task(priority=0, kind=ADVANCE, key="later", not_before=now + timedelta(hours=1)),
    ]
    for _ in range(3):
        store.write_now(lambda conn: jobs.submit_missing(conn, tasks, now=now))
    assert _rows(store) == 2


def test_an_earlier_alarm_takes_the_place_of_a_later_one_and_not_the_other_way_round(store):
    now = utc_now()
    for hours in (3, 1, 2):
        task = Task(priority=0, kind=ADVANCE, key="a", not_before=now + timedelta(hours=hours))
        store.write_now(lambda conn, task=task: jobs.submit(conn, task, now=now))
    assert _rows(store) == 1
    assert _rows(store, "scheduled_at < now() + interval '90 minutes'") == 1


def test_a_job_whose_worker_died_is_removed_and_one_whose_worker_lives_stays(store):
    def write(conn):
        for no, age in enumerate((1, 60)):
            worker = conn.scalar(
                sa.text(
                    "INSERT INTO procrastinate_workers (last_heartbeat)"
                    " VALUES (now() - make_interval(secs => :age)) RETURNING id"
                ),
                {"age": age},
            )
            jobs.submit(conn, Task(priority=0, kind=ADVANCE, key=f"{no}"), now=utc_now())
            assert conn.scalar(sa.text("SELECT id FROM procrastinate_fetch_job_v2(NULL, :id)"), {"id": worker})
        return jobs.clear_dead(conn, silent_for=timedelta(seconds=10))

    assert store.write_now(write) == 1
    assert _rows(store, "args->>'key' = '0'") == _rows(store) == 1


async def test_the_worker_comes_back_after_the_database_has_been_away(store):
    ran = asyncio.Queue()
    engine = Procrastinate(store, handlers={ADVANCE: ran.put}, sweep=_nothing, poll=0.05)
    stop, task = await _running(engine)
    await store.write(lambda conn: engine.submit(conn, ADVANCE, "before"))
    async with asyncio.timeout(PATIENCE):
        assert await ran.get() == "before"
        await engine.idle()
        await store.read(
            lambda conn: conn.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).all()
        )
        await store.write(lambda conn: engine.submit(conn, ADVANCE, "after"))
        assert await ran.get() == "after"
    stop.set()
    await task

import asyncio
from datetime import timedelta

import pytest

from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.work.inprocess import InProcess

PATIENCE = 20
ADVANCE = TaskKind.ADVANCE


@pytest.fixture
async def bench(clock):
    ran = []
    outstanding = []

    async def handler(key):
        ran.append(key)

    async def sweep():
        return outstanding

    engine = InProcess(handlers={ADVANCE: handler}, sweep=sweep, clock=clock)
    stop = asyncio.Event()
    task = asyncio.create_task(engine.run(stop))
    async with asyncio.timeout(PATIENCE):
        await engine.ready.wait()
        yield engine, ran
        stop.set()
        await task


async def test_an_alarm_follows_the_clock_it_was_given(bench, clock, sqlite_store):
    engine, ran = bench
    due = clock() + timedelta(hours=3)
    await sqlite_store.write(lambda conn: engine.submit(conn, ADVANCE, "a", not_before=due))
    await engine.idle()
    clock.set(due - timedelta(microseconds=1))
    engine.look()
    await engine.idle()
    assert ran == []
    clock.set(due)
    engine.look()
    await engine.idle()
    assert ran == ["a"]


async def test_ten_thousand_keys_are_run_in_a_moment(bench, sqlite_store):
    engine, ran = bench
    await sqlite_store.write(lambda conn: [engine.submit(conn, ADVANCE, f"{no}") for no in range(10_000)])
    async with asyncio.timeout(10):
        await engine.idle()
    assert ran == [f"{no}" for no in range(10_000)]


async def test_a_better_priority_moves_a_waiting_key_forward_and_it_runs_once(clock, sqlite_store):
    ran, gate = [], asyncio.Event()

    async def handler(key):
        ran.append(key)
        await gate.wait()

    async def sweep():
        return [Task(priority=0, kind=ADVANCE, key="first")]

    engine = InProcess(handlers={ADVANCE: handler}, sweep=sweep, concurrency=1, clock=clock)
    stop = asyncio.Event()
    task = asyncio.create_task(engine.run(stop))
    async with asyncio.timeout(PATIENCE):
        await engine.ready.wait()
        for key, priority in (("a", 5), ("b", 4), ("a", 1), ("a", 7)):
            await sqlite_store.write(
                lambda conn, key=key, priority=priority: engine.submit(conn, ADVANCE, key, priority=priority)
            )
        gate.set()
        await engine.idle()
        assert ran == ["first", "a", "b"]
        stop.set()
        await task
        await engine.idle()


async def test_an_outdated_place_in_the_queue_is_not_taken_for_a_new_one(clock, sqlite_store):
    begun, gates = asyncio.Queue(), {key: asyncio.Event() for key in "abc"}

    async def handler(key):
        await begun.put(key)
        await gates[key].wait()

    async def sweep():
        return ()

    engine = InProcess(handlers={ADVANCE: handler}, sweep=sweep, concurrency=3, clock=clock)

    async def submit(key, priority):
        await sqlite_store.write(lambda conn: engine.submit(conn, ADVANCE, key, priority=priority))

    for key, priority in (("a", 5), ("a", 1), ("b", 2)):
        await submit(key, priority)
    stop = asyncio.Event()
    task = asyncio.create_task(engine.run(stop))
    async with asyncio.timeout(PATIENCE):
        # Both slots of the kind are taken; the place of "a" for its 5 is still in the queue, and must not count.
        assert [await begun.get(), await begun.get()] == ["a", "b"]
        await submit("a", 5)
        await submit("c", 9)
        gates["b"].set()
        assert await begun.get() == "c"
        for gate in gates.values():
            gate.set()
        assert await begun.get() == "a"
        await engine.idle()
        assert begun.empty()
        stop.set()
        await task


async def test_what_is_submitted_after_the_end_disturbs_nobody(clock, sqlite_store):
    async def sweep():
        return ()

    engine = InProcess(handlers={}, sweep=sweep, clock=clock)
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(PATIENCE):
        await engine.run(stop)
        await sqlite_store.write(lambda conn: engine.submit(conn, ADVANCE, "late"))
        await engine.idle()

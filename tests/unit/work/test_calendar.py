import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from flatfile_sync.domain.failures import StaleEpochError
from flatfile_sync.store import counters
from flatfile_sync.store.database import Store
from flatfile_sync.work.calendar import Calendar, Job

PATIENCE = 20
MINUTE = timedelta(minutes=1)


class Keeper:
    """Starts calendars and stops them at the end."""

    def __init__(self):
        self.started = []

    async def start(self, calendar):
        stop = asyncio.Event()
        self.started.append((stop, asyncio.create_task(calendar.run(stop))))
        async with asyncio.timeout(PATIENCE):
            await calendar.ready.wait()
            await calendar.idle()
        return self.started[-1]

    async def end(self):
        for stop, task in self.started:
            stop.set()
            async with asyncio.timeout(PATIENCE):
                await task


@pytest.fixture
async def keeper():
    keeper = Keeper()
    yield keeper
    await keeper.end()


def _job(ran, *, name="retention", every=timedelta(hours=1), offset=timedelta(0), gate=None):
    async def run():
        ran.append(name)
        if gate is not None:
            await gate.wait()

    return Job(name=name, run=run, every=every, offset=offset)


async def test_a_job_that_is_overdue_runs_at_the_start_however_often_it_was_missed(store, clock, keeper):
    ran = []
    await keeper.start(Calendar(store, [_job(ran)], clock=clock))
    assert ran == ["retention"]


async def test_of_two_processes_one_does_the_work_of_a_period(store, clock, keeper):
    ran, other = [], Store(store.url.render_as_string(hide_password=False))
    await keeper.start(Calendar(store, [_job(ran)], clock=clock))
    await keeper.start(Calendar(other, [_job(ran)], clock=clock))
    assert ran == ["retention"]
    clock.advance(timedelta(hours=1))
    await keeper.start(Calendar(other, [_job(ran)], clock=clock))
    assert ran == ["retention"] * 2
    other.close()


async def test_a_job_runs_again_in_each_period(sqlite_store, keeper):
    ran, thrice = [], asyncio.Event()

    async def run():
        ran.append(None)
        if len(ran) == 3:
            thrice.set()

    await keeper.start(Calendar(sqlite_store, [Job(name="often", run=run, every=timedelta(seconds=0.1))]))
    async with asyncio.timeout(PATIENCE):
        await thrice.wait()


async def test_a_job_that_takes_longer_than_its_period_does_not_run_twice_at_once(sqlite_store):
    running, most, seen, gate = 0, 0, asyncio.Event(), asyncio.Event()

    async def slow():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    ticks = []

    async def tick():
        ticks.append(None)
        if len(ticks) == 4:
            seen.set()

    every = timedelta(seconds=0.05)
    calendar = Calendar(
        sqlite_store, [Job(name="slow", run=slow, every=every), Job(name="tick", run=tick, every=every)]
    )
    stop = asyncio.Event()
    task = asyncio.create_task(calendar.run(stop))
    async with asyncio.timeout(PATIENCE):
        await seen.wait()
        stop.set()
        assert not task.done()
        gate.set()
        await task
    assert most == 1


async def test_a_job_that_fails_is_logged_and_the_others_go_on(store, clock, keeper):
    ran = []

    async def fail():
        raise ValueError("a bug of ours")

    with capture_logs() as logs:
        await keeper.start(Calendar(store, [Job(name="fails", run=fail, every=MINUTE), _job(ran)], clock=clock))
    assert ran == ["retention"]
    assert [(entry["event"], entry["job"], entry["exc_info"]) for entry in logs] == [
        ("calendar_job_failed", "fails", True)
    ]


async def test_stopping_waits_for_the_job_that_runs_and_may_be_said_twice(store, clock):
    ran, gate, stop = [], asyncio.Event(), asyncio.Event()
    calendar = Calendar(store, [_job(ran, gate=gate)], clock=clock)
    task = asyncio.create_task(calendar.run(stop))
    async with asyncio.timeout(PATIENCE):
        await calendar.ready.wait()
        while not ran:  # noqa: ASYNC110 - begins in a thread of the store
            await asyncio.sleep(0.005)
        stop.set()
        calendar.stop()
        calendar.stop()
        await asyncio.sleep(0)
        assert not task.done()
        gate.set()
        await task


async def test_a_newer_daemon_ends_the_calendar(store, clock):
    async def refused():
        raise StaleEpochError("a newer daemon")

    with capture_logs() as logs:
        async with asyncio.timeout(PATIENCE):
            await Calendar(store, [Job(name="x", run=refused, every=MINUTE)], clock=clock).run(asyncio.Event())
    assert [entry["event"] for entry in logs] == ["epoch_stale"]


def test_periods_are_counted_from_the_same_moment_everywhere():
    job = _job([], every=timedelta(days=1), offset=timedelta(hours=3))
    before, at = datetime(2026, 8, 1, 2, 59, tzinfo=UTC), datetime(2026, 8, 1, 3, 0, tzinfo=UTC)
    assert job.period(at) == job.period(before) + 1
    assert job.period(at) == job.period(at + timedelta(hours=23, minutes=59))


def test_a_counter_is_raised_to_a_value_once(store):
    def raise_to(value):
        return store.write_now(lambda conn: counters.raise_to(conn, "calendar x", value))

    assert [raise_to(value) for value in (5, 5, 4, 6)] == [True, False, False, True]
    assert store.read_now(lambda conn: counters.current(conn, "calendar x")) == 6

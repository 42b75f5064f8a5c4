"""One suite for every engine: what a submission promises, whatever carries it."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.domain.failures import StaleEpochError
from flatfile_sync.store.database import Store
from flatfile_sync.work import procrastinate
from flatfile_sync.work.inprocess import InProcess
from flatfile_sync.work.procrastinate import Procrastinate

PATIENCE = 20
ADVANCE, DELIVER = TaskKind.ADVANCE, TaskKind.DELIVER
CONCURRENCY = 3


class Bench:
    """An engine whose handlers write down what they do, and wait at a gate if the test has closed it."""

    def __init__(self, name: str, store: Store, **options) -> None:
        self.store = store
        self.log: list[tuple[TaskKind, str]] = []
        self.begun: asyncio.Queue[tuple[TaskKind, str]] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()
        self.running: Counter[tuple[TaskKind, str]] = Counter()
        self.most: Counter[object] = Counter()
        self.errors: list[Exception] = []
        self.outstanding: list[Task] = []
        self.stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        options = {
            "handlers": {kind: self._handler(kind) for kind in TaskKind},
            "sweep": self._sweep,
            "concurrency": CONCURRENCY,
            "sweep_every": 60.0,
        } | options
        if name == "procrastinate":
            procrastinate.prepare(store)
            self.engine = Procrastinate(store, poll=0.05, **options)
        else:
            self.engine = InProcess(**options)

    def _handler(self, kind):
        async def handler(key):
            self.log.append((kind, key))
            self.running[kind, key] += 1
            self.most["together"] = max(self.most["together"], sum(self.running.values()))
            self.most[kind, key] = max(self.most[kind, key], self.running[kind, key])
            self.begun.put_nowait((kind, key))
            try:
                await self.gate.wait()
            finally:
                self.running[kind, key] -= 1
            if self.errors:
                raise self.errors.pop()

        return handler

    async def _sweep(self):
        return list(self.outstanding)

    async def submit(self, *keys, kind=ADVANCE, **options):
        def work(conn):
            for key in keys:
                self.engine.submit(conn, kind, key, **options)

        await self.store.write(work)

    async def next(self):
        async with asyncio.timeout(PATIENCE):
            return (await self.begun.get())[1]

    async def idle(self):
        async with asyncio.timeout(PATIENCE):
            await self.engine.idle()


@pytest.fixture(params=["inprocess-sqlite", "inprocess-postgresql", "procrastinate-postgresql"])
async def make(request):
    """Return a function that starts an engine; all are stopped at the end."""
    name, database = request.param.split("-")
    store = request.getfixturevalue(f"{database}_store")
    started = []

    async def start(*, before=None, **options):
        bench = Bench(name, store, **options)
        if before:
            await before(bench)
        bench.task = asyncio.create_task(bench.engine.run(bench.stop))
        started.append(bench)
        async with asyncio.timeout(PATIENCE):
            await bench.engine.ready.wait()
        return bench

    yield start
    for bench in started:
        bench.gate.set()
        bench.stop.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([bench.task])
        assert bench.task.cancelled() or bench.task.exception() is None


async def test_work_runs_after_its_transaction_has_committed(make):
    bench = await make()
    seen = []

    def work(conn):
        bench.engine.submit(conn, ADVANCE, "a")
        seen.append(list(bench.log))

    await bench.store.write(work)
    assert await bench.next() == "a"
    assert seen == [[]]


async def test_work_of_a_transaction_that_rolled_back_never_runs(make):
    bench = await make()

    def work(conn):
        bench.engine.submit(conn, ADVANCE, "never")
        raise ValueError("rolled back")

    with pytest.raises(ValueError, match="rolled back"):
        await bench.store.write(work)
    await bench.submit("after")
    await bench.idle()
    assert bench.log == [(ADVANCE, "after")]


async def test_each_kind_has_its_own_handler_and_its_own_keys(make):
    bench = await make()
    await bench.submit("same")
    await bench.submit("same", kind=DELIVER)
    await bench.idle()
    assert sorted(bench.log) == [(ADVANCE, "same"), (DELIVER, "same")]


async def test_what_was_submitted_before_the_engine_ran_is_run_when_it_starts(make):
    bench = await make(before=lambda bench: bench.submit("early"))
    assert await bench.next() == "early"


async def test_work_for_later_does_not_run_before_its_time(make):
    bench = await make()
    due = utc_now() + timedelta(seconds=0.3)
    await bench.submit("later", not_before=due)
    await bench.submit("now")
    await bench.idle()
    assert bench.log == [(ADVANCE, "now")]
    await bench.next()
    assert await bench.next() == "later"
    assert utc_now() >= due


async def test_an_early_run_does_not_cancel_the_one_asked_for_later(make):
    bench = await make()
    await bench.submit("a", not_before=utc_now() + timedelta(seconds=0.3))
    await bench.submit("a")
    await bench.idle()
    assert bench.log == [(ADVANCE, "a")]
    assert [await bench.next(), await bench.next()] == ["a", "a"]


async def test_of_several_moments_the_earliest_counts(make):
    bench = await make()
    for seconds in (600, 0.2, 900):
        await bench.submit("a", not_before=utc_now() + timedelta(seconds=seconds))
    assert await bench.next() == "a"
    await bench.idle()
    assert len(bench.log) == 1


async def test_a_moment_that_has_passed_is_now(make):
    bench = await make()
    await bench.submit("a", not_before=utc_now() - timedelta(days=1))
    assert await bench.next() == "a"


async def test_waiting_for_later_holds_nothing_up(make):
    # Procrastinate, used with its locks on waiting jobs, would run nothing of this key until tomorrow.
    bench = await make()
    await bench.submit("a", not_before=utc_now() + timedelta(days=1))
    await bench.submit("a", not_before=utc_now() + timedelta(seconds=0.1))
    assert await bench.next() == "a"
    await bench.submit("a")
    assert await bench.next() == "a"


async def test_smaller_priorities_go_first(make):
    bench = await make(concurrency=1)
    bench.gate.clear()
    await bench.submit("first")
    await bench.next()
    await bench.submit("low", priority=9)
    await bench.submit("high", priority=-5)
    await bench.submit("middle", priority=0)
    bench.gate.set()
    assert [await bench.next() for _ in range(3)] == ["high", "middle", "low"]


async def test_of_equal_priorities_the_first_submitted_goes_first(make):
    bench = await make(concurrency=1)
    bench.gate.clear()
    await bench.submit("first")
    await bench.next()
    await bench.submit("b", "a", "c")
    bench.gate.set()
    assert [await bench.next() for _ in range(3)] == ["b", "a", "c"]


async def test_the_same_key_never_runs_twice_at_a_time(make):
    bench = await make()
    for _ in range(12):
        await bench.submit("a", "b")
    await bench.idle()
    assert bench.most[ADVANCE, "a"] == bench.most[ADVANCE, "b"] == 1


async def test_submissions_of_a_waiting_key_lead_to_one_run(make):
    bench = await make(concurrency=1)
    bench.gate.clear()
    await bench.submit("first")
    await bench.next()
    for _ in range(7):
        await bench.submit("a")
    bench.gate.set()
    await bench.idle()
    assert bench.log == [(ADVANCE, "first"), (ADVANCE, "a")]


async def test_a_key_submitted_while_it_runs_runs_once_more_afterwards(make):
    bench = await make()
    bench.gate.clear()
    await bench.submit("a")
    await bench.next()
    for _ in range(3):
        await bench.submit("a")
    assert bench.begun.empty()
    bench.gate.set()
    await bench.idle()
    assert bench.log == [(ADVANCE, "a")] * 2


async def test_no_more_runs_at_a_time_than_there_are_slots(make):
    bench = await make()
    await bench.submit(*(f"drop {no}" for no in range(8)))
    await bench.submit(*(f"platform {no}" for no in range(8)), kind=DELIVER)
    await bench.idle()
    assert len(bench.log) == 16
    assert bench.most["together"] <= CONCURRENCY


async def test_one_kind_never_takes_every_slot(make):
    bench = await make()
    bench.gate.clear()
    await bench.submit(*(f"drop {no}" for no in range(8)))
    assert {await bench.next(), await bench.next()} == {"drop 0", "drop 1"}
    await bench.submit("apple", kind=DELIVER)
    assert await bench.next() == "apple"


async def test_a_handler_that_fails_disturbs_nobody_and_is_logged_once(make, caplog):
    bench = await make()
    bench.errors.append(ValueError("a bug of ours"))
    with capture_logs() as logs:
        await bench.submit("a")
        await bench.idle()
        await bench.submit("b", "a")
        await bench.idle()
    assert sorted(bench.log) == [(ADVANCE, "a"), (ADVANCE, "a"), (ADVANCE, "b")]
    assert [(entry["event"], entry["key"], entry["trail"][0]) for entry in logs] == [("task_failed", "a", "ValueError")]
    assert "a bug of ours" not in str(logs)
    assert "a bug of ours" not in caplog.text


async def test_a_lost_submission_is_found_by_the_sweep(make):
    bench = await make(sweep_every=0.1)
    bench.outstanding = [
        Task(priority=0, kind=ADVANCE, key="lost"),
        Task(priority=0, kind=ADVANCE, key="tomorrow", not_before=utc_now() + timedelta(days=1)),
    ]
    assert [await bench.next() for _ in range(3)] == ["lost"] * 3


async def test_the_sweep_at_the_start_finds_what_an_earlier_process_left(make):
    async def leave(bench):
        bench.outstanding = [Task(priority=0, kind=ADVANCE, key="left")]

    bench = await make(before=leave)
    assert await bench.next() == "left"


async def test_a_sweep_that_fails_is_repeated(make):
    calls = []

    async def sweep():
        calls.append(None)
        if len(calls) == 1:
            raise OSError("the database is away")
        return [Task(priority=0, kind=ADVANCE, key="found")]

    bench = await make(sweep=sweep, sweep_every=0.05)
    assert await bench.next() == "found"


async def test_stopping_ends_what_runs_and_starts_nothing_more(make):
    bench = await make(concurrency=1)
    bench.gate.clear()
    await bench.submit("running")
    await bench.next()
    await bench.submit("waiting")
    bench.stop.set()
    await asyncio.sleep(0)
    bench.engine.stop()
    bench.engine.stop()
    assert not bench.task.done()
    bench.gate.set()
    async with asyncio.timeout(PATIENCE):
        await bench.task
    assert bench.running.total() == 0
    assert bench.log == [(ADVANCE, "running")]


async def test_cancelling_the_engine_cancels_what_runs(make):
    bench = await make()
    bench.gate.clear()
    await bench.submit("a")
    await bench.next()
    bench.task.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([bench.task])
    assert bench.task.cancelled()
    assert bench.running.total() == 0


async def test_a_newer_daemon_ends_the_engine_for_good(make):
    bench = await make()
    bench.errors.append(StaleEpochError("a newer daemon"))
    with capture_logs() as logs:
        await bench.submit("a")
        await bench.next()
        await bench.idle()
        await bench.submit("b")
        await bench.idle()
    assert bench.log == [(ADVANCE, "a")]
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("epoch_stale", "critical")]

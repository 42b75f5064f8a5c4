"""Pace, ledger, circuits, registrations and memories: on both databases."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from flatfile_sync.store import audit, memories, passes, registrations
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.pacing import NOTICES, WINDOW, StoreCircuit, StoreLedger, StorePace
from flatfile_sync.store.passes import PassRow
from flatfile_sync.store.tables import passes as passes_table


class FakeSleep:
    """Notes how long was waited, and moves the clock on instead."""

    def __init__(self, clock):
        self.clock, self.waits = clock, []

    async def __call__(self, seconds):
        self.waits.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))


async def test_calls_of_all_workers_share_one_pace(store, clock):
    sleep = FakeSleep(clock)
    workers = [StorePace(store, "google", rate=20, clock=clock, sleep=sleep) for _ in range(2)]
    begun = clock.now
    for number in range(41):
        await workers[number % 2].take()
    assert clock.now - begun == timedelta(seconds=2)
    await workers[0].take(10)
    assert clock.now - begun == timedelta(seconds=2.5)


async def test_a_rest_does_not_save_up_more_than_the_burst(store, clock):
    sleep = FakeSleep(clock)
    pace = StorePace(store, "google", rate=10, burst=5, clock=clock, sleep=sleep)
    await pace.take()
    clock.advance(timedelta(hours=1))
    for _ in range(5):
        await pace.take()
    assert sleep.waits == []
    await pace.take()
    assert sleep.waits == [pytest.approx(0.1)]


async def test_a_pass_has_three_notices_a_day_and_a_repeat_counts_once(store, clock):
    ledger = StoreLedger(store, "google", clock=clock)
    assert [await ledger.claim(1, f"m{number}") for number in range(NOTICES + 1)] == [True] * NOTICES + [False]
    assert await ledger.claim(1, "m0")
    assert await ledger.claim(2, "m9")
    clock.advance(WINDOW)
    assert await ledger.claim(1, "m4")


async def test_an_open_circuit_stays_open_until_it_is_closed_and_is_one_event(store, clock):
    circuit = StoreCircuit(store, clock=clock)
    assert not await circuit.is_open("apns pass.example")
    await asyncio.gather(*(circuit.open("apns pass.example", "403 InvalidProviderToken") for _ in range(3)))
    assert await circuit.is_open("apns pass.example")
    told = store.read_now(lambda conn: audit.events(conn, "circuit_opened"))
    assert told == [{"name": "apns pass.example", "reason": "403 InvalidProviderToken"}]
    await circuit.close("apns pass.example")
    assert not await circuit.is_open("apns pass.example")


def _seed(store, count):
    def work(conn):
        rows = [PassRow(0, f"p{n}", "loyalty", "card", "active", 1, "{}", None, "{}", 0, 0, 0) for n in range(count)]
        return [row.no for row in passes.create_many(conn, rows, tag=next_tag(conn), created_at=0)]

    return store.write_now(work)


def _touch(store, number):
    def work(conn):
        tag = next_tag(conn)
        conn.execute(sa.update(passes_table).where(passes_table.c.no == number).values(tag=tag))

    store.write_now(work)


def _register(store, clock, device, number, token):
    return store.write_now(
        lambda conn: registrations.add(conn, device=device, pass_no=number, push_token=token, now=clock.now)
    )


def test_a_device_registers_once_and_a_new_token_replaces_the_old(store, clock):
    first, second = _seed(store, 2)
    assert _register(store, clock, "d1", first, "t1")
    assert not _register(store, clock, "d1", first, "t2")
    assert _register(store, clock, "d2", first, "t3")
    assert _register(store, clock, "d1", second, "t2")
    found = store.read_now(lambda conn: registrations.tokens_of(conn, [first, second]))
    assert found == {first: ("t2", "t3"), second: ("t2",)}
    assert store.read_now(lambda conn: passes.by_id(conn, "p0")).apple == 2
    assert store.write_now(lambda conn: registrations.remove(conn, device="d2", pass_no=first))
    assert not store.write_now(lambda conn: registrations.remove(conn, device="d2", pass_no=first))
    assert store.read_now(lambda conn: passes.by_id(conn, "p0")).apple == 1


def test_a_token_that_is_gone_goes_unless_the_device_came_back_since(store, clock):
    first, second = _seed(store, 2)
    _register(store, clock, "d1", first, "t1")
    _register(store, clock, "d1", second, "t1")
    early = clock.now - timedelta(seconds=1)
    assert store.write_now(lambda conn: registrations.drop_tokens(conn, [("t1", early)])) == 0
    assert store.write_now(lambda conn: registrations.drop_tokens(conn, [("t1", clock.now), ("t9", None)])) == 2
    assert store.read_now(lambda conn: passes.by_id(conn, "p1")).apple == 0


def test_a_device_is_told_what_changed_after_its_tag_and_only_of_its_own(store, clock):
    first, second, _ = _seed(store, 3)
    _register(store, clock, "d1", first, "t1")
    _register(store, clock, "d1", second, "t1")
    changed, tag = store.read_now(lambda conn: registrations.changed_since(conn, device="d1", tag=None))
    assert changed == ["p0", "p1"]
    assert store.read_now(lambda conn: registrations.changed_since(conn, device="d1", tag=tag))[0] == []
    _touch(store, second)
    changed, later = store.read_now(lambda conn: registrations.changed_since(conn, device="d1", tag=tag))
    assert (changed, later > tag) == (["p1"], True)


def test_no_device_skips_a_change_that_commits_after_a_later_one(postgresql_store, clock):
    first, second = _seed(postgresql_store, 2)
    _register(postgresql_store, clock, "d1", first, "t1")
    _register(postgresql_store, clock, "d1", second, "t1")

    def ask(tag):
        return postgresql_store.read_now(lambda conn: registrations.changed_since(conn, device="d1", tag=tag))

    _, tag = ask(None)
    engine = sa.create_engine(postgresql_store.url)
    with engine.connect() as slow:
        transaction = slow.begin()
        slow.execute(sa.update(passes_table).where(passes_table.c.no == first).values(tag=next_tag(slow)))
        _touch(postgresql_store, second)
        seen, between = ask(tag)
        transaction.commit()
    engine.dispose()
    later, _ = ask(between)
    assert sorted({*seen, *later}) == ["p0", "p1"]


def test_a_platform_is_reminded_of_what_it_said_last(store):
    store.write_now(lambda conn: memories.keep_many(conn, "google", {1: {"hash": "a"}, 2: {"hash": "b"}}))
    store.write_now(lambda conn: memories.keep_many(conn, "google", {1: {"hash": "c"}}))
    store.write_now(lambda conn: memories.keep_many(conn, "apple", {1: {"key": "k"}}))
    found = store.read_now(lambda conn: memories.of_passes(conn, "google", [1, 2, 3]))
    assert found == {1: {"hash": "c"}, 2: {"hash": "b"}}

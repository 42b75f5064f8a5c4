"""A template changed: every pass of its type is brought up to date, behind everything that somebody waits for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.project import PassType
from flatfile_sync.domain.states import Lane, Platform
from flatfile_sync.pipeline.deliver import deliver
from flatfile_sync.pipeline.line import advance
from flatfile_sync.pipeline.refreshing import refresh
from flatfile_sync.store import audit, lanes, passes, registrations
from flatfile_sync.store.dialects import next_tag
from tests.builders import kit as make_kit
from tests.builders import loyalty
from tests.line import ResultSet, receive, run, sandboxes, seed


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms=sandboxes())


def members(kit):
    """Store five cards, held in different places, and a gift card."""
    held = ((1, 1), (1, 0), (0, 1), (0, 0), (2, 1))
    cards = [({"memberId": str(n)}, {"additionalData.points": n}, *places) for n, places in enumerate(held, 1)]
    seed(kit, *cards, ({"memberId": "6", "passType": "gift"}, {}, 1, 1))


def rows(kit):
    return kit.store.read_now(lambda conn: passes.load_many(conn, list(range(1, 7))))


def again(kit, **changes):
    project = replace(kit.projects.projects["loyalty"], version="v2", **changes)
    kit.projects.projects["loyalty"] = project
    return refresh(project, "card", store=kit.store, clock=kit.clock, chunk=2)


def take(kit, platform="apple"):
    return kit.store.write_now(lambda conn: lanes.take(conn, platform, limit=100, now=kit.clock()))


async def test_every_pass_of_the_type_looks_changed_and_goes_out_in_bulk(kit):
    members(kit)
    before = rows(kit)
    counts = again(kit)
    assert counts == {"passes": 5, "apple": 3, "google": 3}
    after = rows(kit)
    assert [row.revision for row in after] == [2, 2, 2, 2, 2, 1]
    assert all(new.modified_at >= old.modified_at + 1_000_000 for new, old in zip(after[:5], before, strict=False))
    assert [(row.document, row.status) for row in after] == [(row.document, row.status) for row in before]
    owed = take(kit)
    assert [(entry.pass_no, entry.lane, entry.revision) for entry in owed] == [(n, Lane.BULK, 2) for n in (1, 2, 5)]
    [told] = kit.store.read_now(lambda conn: audit.events(conn, "passes_refreshed"))
    assert told == {"project": "loyalty", "pass_type": "card", "version": "v2", "passes": 5, "apple": 3, "google": 3}


async def test_a_device_that_asks_is_told_of_the_pass_without_a_push(kit):
    members(kit)
    now = kit.clock()

    def register(conn):
        registrations.add(conn, device="phone", pass_no=1, push_token="t", now=now)
        next_tag(conn)
        return registrations.changed_since(conn, device="phone", tag=None)

    _, tag = kit.store.write_now(register)
    again(kit)
    changed, _ = kit.store.read_now(lambda conn: registrations.changed_since(conn, device="phone", tag=tag))
    assert changed == [rows(kit)[0].id]


async def test_what_was_owed_already_keeps_its_lane_and_its_drop_is_over(kit):
    members(kit)
    drop = receive(kit, "id.memberId,additionalData.points\n1,100\n")
    await advance(drop.id, kit=kit)
    again(kit)
    owed = take(kit)
    assert [(entry.pass_no, entry.lane, entry.drop_id) for entry in owed] == [(1, Lane.OPERATIONAL, None)]
    for platform in Platform:
        await deliver(platform.value, kit=kit)
    found = ResultSet(kit, await run(kit, drop))
    assert [(row["_apple"], row["_google"]) for row in found.table("delivery.csv")] == [("overtaken", "overtaken")]
    assert kit.platforms[Platform.APPLE].contents[rows(kit)[0].id][0] == 3


async def test_refreshing_twice_owes_once_and_rises_strictly(kit):
    members(kit)
    again(kit)
    first = [row.modified_at for row in rows(kit)]
    again(kit)
    assert [row.modified_at - before for row, before in zip(rows(kit), first, strict=True)] == [1_000_000] * 5 + [0]
    assert [entry.revision for entry in take(kit)] == [3, 3, 3]
    kit.clock.advance(timedelta(hours=1))
    again(kit)
    assert {row.modified_at for row in rows(kit)[:5]} == {int(kit.clock().timestamp()) * 1_000_000}


def test_a_type_that_is_on_one_platform_only_owes_nothing_on_the_other(kit):
    members(kit)
    assert again(kit, pass_types=(PassType(name="card", platforms=("apple",)),)) == {"passes": 5, "apple": 3}


def test_a_type_that_is_not_there_is_said_with_the_one_that_is_meant(kit):
    with pytest.raises(Refused, match="Did you mean"):
        refresh(loyalty(), "crad", store=kit.store, clock=kit.clock)

"""Who wins: record order inside a file, the age of the data between files, identifiers that move."""

from datetime import timedelta

import pytest

from flatfile_sync.domain.project import Feed, GuardAction, Guards
from flatfile_sync.domain.states import DropState, DropVerdict
from flatfile_sync.store import drops
from tests.builders import kit as make_kit
from tests.builders import loyalty
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms=sandboxes())


def members(count):
    return [({"memberId": f"{n:03}", "crm.contactId": f"C{n:03}"}, {"additionalData.points": n}) for n in range(count)]


def points(*rows):
    return "id.memberId,additionalData.points\n" + "".join(f"{member},{value}\n" for member, value in rows)


async def test_a_rejected_later_row_supersedes_nothing_and_an_empty_one_is_not_superseded(kit):
    seed(kit, *members(1))
    found = ResultSet(kit, await run(kit, receive(kit, points(("000", 5), ("000", ""), ("000", "x")))))
    assert found.statuses == ["applied", "unchanged", "rejected"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 5}]


async def test_repaired_rejects_are_as_old_as_the_file_they_come_from(kit):
    seed(kit, *members(3))
    old = await run(kit, receive(kit, points(("000", "x"), ("001", "y"), ("002", 22))))
    await run(kit, receive(kit, points(("000", 99))))
    repaired = ResultSet(kit, old).raw["rejects.csv"].decode().replace("x", "10").replace("y", "z")
    child = await run(kit, receive(kit, repaired, name=f"{old.result_name}.rejects.csv"))
    assert ResultSet(kit, child).codes == ["C01", "V01"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 99}]
    again = ResultSet(kit, child).raw["rejects.csv"].decode().replace("z", "11")
    grandchild = await run(kit, receive(kit, again, name=f"{child.result_name}.rejects.csv"))
    assert ResultSet(kit, grandchild).statuses == ["rejected", "applied"]
    newer = await run(kit, receive(kit, points(("001", 12))))
    assert ResultSet(kit, newer).statuses == ["applied"]


async def test_a_released_drop_is_stale_even_while_the_newer_one_is_being_applied(kit, monkeypatch):
    seed(kit, *members(2))
    guards = Guards(max_reject_count=0, action=GuardAction.HOLD)
    kit.projects.projects["loyalty"] = loyalty(Feed(name="members", guards=guards))
    held = await run(kit, receive(kit, points(("000", 10), ("001", "y"))))
    newer = receive(kit, points(("000", 99)))
    with monkeypatch.context() as patch:
        patch.setattr("flatfile_sync.pipeline.apply._finish", _refuse)
        unfinished = await run(kit, newer)
    assert unfinished.state is DropState.PLANNED
    kit.store.write_now(lambda conn: drops.move(conn, held, DropState.PLANNED))
    assert ResultSet(kit, await run(kit, held)).codes == ["C01", "V01"]
    kit.clock.advance(timedelta(minutes=5))
    assert ResultSet(kit, await run(kit, newer)).statuses == ["applied"]


def _refuse(*_args, **_kwargs):
    raise OSError("no space left")


async def test_a_new_pass_has_its_corrected_identifier_from_the_start(kit):
    text = "id.memberId,op,set.id.memberId,additionalData.points\n5,upsert,6,1\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.statuses == ["applied"]
    assert document_of(kit, "memberId", "6") == [{"additionalData.points": 1}]
    assert document_of(kit, "memberId", "5") == []


async def test_a_corrected_identifier_is_not_taken_from_a_pass_that_the_same_chunk_creates(kit):
    seed(kit, *members(1))
    text = "id.memberId,op,set.id.memberId,set.id.crm.contactId\n5,upsert,,C5\n000,,5,\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert (found.statuses, found.codes) == (["applied", "rejected"], ["", "K07"])


async def test_corrections_of_more_passes_than_a_chunk_holds_are_one_phase(kit):
    seed(kit, *members(11))
    rotated = [(f"{n:03}", f"{(n + 1) % 11:03}") for n in range(11)]
    text = "id.memberId,set.id.memberId\n" + "".join(f"{a},{b}\n" for a, b in rotated)
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.statuses == ["applied"] * 11
    assert document_of(kit, "memberId", "001") == [{"additionalData.points": 0}]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 10}]


async def test_a_message_nobody_agreed_to_is_no_change_and_a_dry_run_says_the_same(kit):
    seed(kit, *[({"memberId": f"{n}", "email": f"p{n}@x.example"}, {}) for n in range(2)])
    text = (
        "id.memberId,notification.message,consent.marketing,consent.marketing.at\n"
        "0,Sale,opt-in,2026-07-01T00:00:00Z\n1,Sale,,\n"
    )
    rehearsal = ResultSet(kit, await run(kit, receive(kit, text, feed="campaign", dry_run=True)))
    real = ResultSet(kit, await run(kit, receive(kit, text, feed="campaign")))
    for found, word in ((rehearsal, "valid"), (real, "applied")):
        assert found.statuses == [word, "unchanged"]
        assert [row["_notification"] for row in found.rows] == ["queued", "no_consent"]


async def test_whole_file_rejections_register_nothing(kit):
    seed(kit, *members(1))
    kit.projects.projects["loyalty"] = loyalty(Feed(name="members", guards=Guards(max_reject_count=0)))
    text = points(("000", 7), ("001", "x"))
    for _ in range(2):
        drop = await run(kit, receive(kit, text))
        assert (drop.verdict, drop.duplicate_of) == (DropVerdict.REJECTED, None)


async def test_a_forced_file_applies_again_though_it_is_the_last_applied_one(kit):
    seed(kit, *members(1))
    text = points(("000", 7))
    await run(kit, receive(kit, text))
    assert (await run(kit, receive(kit, text, forced=True))).verdict is DropVerdict.APPLIED
    assert (await run(kit, receive(kit, text))).verdict is DropVerdict.DUPLICATE


async def test_a_feed_that_stops_after_a_failure_goes_on_when_it_is_mended(kit):
    seed(kit, *members(2))
    feed = Feed(name="members", guards=Guards(max_reject_count=0), stop_after_failure=True)
    kit.projects.projects["loyalty"] = loyalty(feed)
    failed = await run(kit, receive(kit, points(("000", "x"), ("001", 5))))
    waiting = await run(kit, receive(kit, points(("001", 6))))
    assert (failed.verdict, waiting.state) == (DropVerdict.REJECTED, DropState.RECEIVED)
    repaired = ResultSet(kit, failed).raw["rejects.csv"].decode().replace("x", "7")
    child = await run(kit, receive(kit, repaired, name=f"{failed.result_name}.rejects.csv"))
    assert ResultSet(kit, child).statuses == ["applied", "applied"]
    assert ResultSet(kit, await run(kit, waiting)).statuses == ["applied"]
    assert document_of(kit, "memberId", "001") == [{"additionalData.points": 6}]


async def test_a_drop_that_waits_behind_a_failure_can_be_cancelled_and_the_next_one_goes_on(kit):
    seed(kit, *members(1))
    feed = Feed(name="members", guards=Guards(max_reject_count=0), stop_after_failure=True)
    kit.projects.projects["loyalty"] = loyalty(feed)
    await run(kit, receive(kit, points(("000", "x"))))
    waiting = await run(kit, receive(kit, points(("000", 6))))
    after = await run(kit, receive(kit, points(("000", 7))))
    assert [waiting.state, after.state] == [DropState.RECEIVED] * 2
    words = {"verdict": DropVerdict.CANCELLED, "reason": "cancelled"}
    kit.store.write_now(lambda conn: drops.note(conn, waiting, **words))
    assert ResultSet(kit, await run(kit, waiting)).statuses == ["skipped"]
    assert ResultSet(kit, await run(kit, after)).statuses == ["applied"]


async def test_who_waits_behind_a_held_drop_is_called(kit):
    seed(kit, *members(1))
    guards = Guards(max_reject_count=0, action=GuardAction.HOLD)
    kit.projects.projects["loyalty"] = loyalty(Feed(name="members", guards=guards))
    first, second = receive(kit, points(("000", "x"))), receive(kit, points(("000", 7)))
    kit.engine.submitted.clear()
    await run(kit, first)
    assert second.id in [task.key for task in kit.engine.submitted]

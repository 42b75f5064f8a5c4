from datetime import timedelta

import pytest

from flatfile_sync.domain.project import Feed, GuardAction, Guards
from flatfile_sync.domain.states import DropState, DropVerdict, Platform
from flatfile_sync.store import drops, passes
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


async def test_every_row_gets_a_result_and_only_changes_are_pushed(kit):
    seed(kit, *members(5))
    drop = await run(kit, receive(kit, points(("000", 10), ("001", 1), ("002", "x"), ("999", 5), ("004", 44))))
    found = ResultSet(kit, drop)
    assert found.statuses == ["applied", "unchanged", "rejected", "rejected", "applied"]
    assert found.codes == ["", "", "V01", "K02", ""]
    assert [row["_apple"] for row in found.rows] == ["queued", "none", "none", "none", "queued"]
    assert (drop.state, drop.verdict) == (DropState.SETTLED, DropVerdict.PARTIAL)
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 10}]
    assert set(kit.platforms[Platform.GOOGLE].contents) == {row["_pass_id"] for row in found.rows if row["_changed"]}
    delivery = found.table("delivery.csv")
    assert [(row["_record"], row["_apple"], row["_google"]) for row in delivery] == [
        ("1", "fetched", "sent"),
        ("5", "fetched", "sent"),
    ]


async def test_the_counts_reconcile_and_the_rejects_are_the_original_bytes(kit):
    seed(kit, *members(3))
    head = "\ufeffid.memberId;additionalData.points;metadata.source\r\n"
    text = head + '000;7;"a;b"\r\n001;bad;"two\r\nlines"\r\n\r\n002;9;x\r\n'
    project = loyalty(Feed(name="members", writable=("additionalData.*", "metadata.*")))
    kit.projects.projects["loyalty"] = project
    drop = await run(kit, receive(kit, text))
    found = ResultSet(kit, drop)
    assert found.raw["rejects.csv"].decode() == (
        '\ufeffid.memberId;additionalData.points;metadata.source\r\n001;bad;"two\r\nlines"\r\n'
    )
    counts = found.summary["counts"]
    assert counts["read"] == 3 == sum(value for name, value in counts.items() if name != "read")
    [problem] = found.table("issues.csv")
    assert (problem["_line"], problem["_line_end"], problem["_reject_line"]) == ("3", "4", "2")


async def test_a_b_a_ends_at_a(kit):
    seed(kit, *members(2))
    a, b = points(("000", 100)), points(("000", 200))
    for text in (a, b, a):
        drop = await run(kit, receive(kit, text))
        assert ResultSet(kit, drop).statuses == ["applied"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 100}]


async def test_the_last_applied_content_again_is_a_duplicate(kit):
    seed(kit, *members(2))
    text = points(("000", 100), ("001", "x"))
    first = await run(kit, receive(kit, text))
    second = await run(kit, receive(kit, text))
    assert (second.verdict, second.duplicate_of) == (DropVerdict.DUPLICATE, first.id)
    assert ResultSet(kit, second).statuses == ["skipped", "rejected"]


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(kit):
    seed(kit, *members(3))
    text = points(("000", 100), ("001", 1), ("002", "x"))
    rehearsal = await run(kit, receive(kit, text, dry_run=True))
    assert rehearsal.verdict is DropVerdict.DRY_RUN
    assert ResultSet(kit, rehearsal).statuses == ["valid", "unchanged", "rejected"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 0}]
    real = await run(kit, receive(kit, text))
    assert ResultSet(kit, real).statuses == ["applied", "unchanged", "rejected"]


async def test_one_pass_named_in_the_first_and_the_last_chunk_by_different_identifiers(kit):
    seed(kit, *members(12))
    rows = [("000", "", 70)] + [(f"{n:03}", "", n + 1) for n in range(1, 11)] + [("", "C000", 80)]
    text = "id.memberId,id.crm.contactId,additionalData.points\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    drop = await run(kit, receive(kit, text))
    found = ResultSet(kit, drop)
    assert found.statuses == ["superseded", *["applied"] * 11]
    assert found.rows[0]["_message"] == "superseded by line 13"
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 80}]
    assert kit.platforms[Platform.APPLE].contents[found.rows[0]["_pass_id"]][0] == 2


async def test_rows_of_one_pass_apply_in_order_and_changing_back_is_no_change(kit):
    seed(kit, *members(1))
    text = "id.memberId,additionalData.points,metadata.source\n000,5,\n000,,shop\n000,0,\n"
    found = ResultSet(kit, await run(kit, receive(kit, text)))
    assert found.statuses == ["superseded", "applied", "unchanged"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 0, "metadata.source": "shop"}]


async def test_a_row_after_one_that_creates_the_pass_sees_it(kit):
    text = (
        "id.memberId,id.crm.contactId,additionalData.points\n"
        "777,C777,1\n888,C888,2\n888,,3\n,C777,9\n999,C888,4\n,C1,5\n555,,6\n"
    )
    drop = await run(kit, receive(kit, text, feed="enrol"))
    found = ResultSet(kit, drop)
    assert found.statuses == ["applied", "applied", "applied", "applied", "rejected", "applied", "applied"]
    assert found.codes[4] == "K04"
    assert found.rows[0]["_pass_id"] == found.rows[3]["_pass_id"]
    assert document_of(kit, "memberId", "888") == [{"additionalData.points": 3}]
    assert document_of(kit, "crm.contactId", "C777") == [{"additionalData.points": 9}]
    again = ResultSet(kit, await run(kit, receive(kit, text + "\n", feed="enrol")))
    assert again.statuses == [
        "superseded",
        "superseded",
        "unchanged",
        "unchanged",
        "rejected",
        "unchanged",
        "unchanged",
    ]


async def test_half_repaired_rejects_dropped_twice(kit):
    seed(kit, *members(3))
    first = await run(kit, receive(kit, points(("000", 10), ("001", "x"), ("002", "y"))))
    repaired = ResultSet(kit, first).raw["rejects.csv"].decode().replace("x", "11")
    name = f"{first.result_name}.rejects.csv"
    child = await run(kit, receive(kit, repaired, name=name))
    assert (child.parent_id, child.feed) == (first.id, "members")
    assert ResultSet(kit, child).statuses == ["applied", "rejected"]
    twin = await run(kit, receive(kit, repaired, name=name))
    assert ResultSet(kit, twin).statuses == ["unchanged", "rejected"]
    full = points(("000", 10), ("001", "x"), ("002", "y"))
    assert (await run(kit, receive(kit, full))).duplicate_of == first.id


async def test_identifiers_swap_inside_one_drop(kit):
    first, second, _ = seed(kit, *members(3))
    text = "id.memberId,set.id.memberId\n000,001\n001,000\n002,000\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.statuses == ["applied", "applied", "rejected"]
    assert found.codes[2] == "K07"

    def owner(member):
        return kit.store.read_now(lambda conn: passes.find(conn, "loyalty", "memberId", member))[0].id

    assert (owner("000"), owner("001")) == (second, first)


async def test_void_status_and_notify_are_changes_of_their_own(kit):
    seed(kit, *members(4))
    text = (
        "id.memberId,op,status,notification.message,notification.purpose\n"
        "000,void,,,\n001,,expired,,\n002,notify,,Gate 4,transactional\n003,void,,,\n003,void,,,\n"
    )
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.statuses == ["applied", "applied", "applied", "superseded", "applied"]
    assert [row["_notification"] for row in found.rows] == ["none", "none", "queued", "none", "none"]
    assert kit.platforms[Platform.APPLE].messages == {found.rows[2]["_pass_id"]: ["Gate 4"]}


async def test_marketing_never_leaves_without_an_opt_in_that_still_holds(kit):
    seed(kit, *[({"memberId": f"{n}", "email": f"p{n}@x.example"}, {}) for n in range(3)])
    head = "id.memberId,notification.message,consent.marketing,consent.marketing.at\n"
    text = head + "0,Sale,opt-in,2026-07-01T00:00:00Z\n1,Sale,,\n2,Sale,opt-out,2026-07-01T00:00:00Z\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="campaign")))
    assert [row["_notification"] for row in found.rows] == ["queued", "no_consent", "no_consent"]
    assert set(kit.platforms[Platform.GOOGLE].messages) == {found.rows[0]["_pass_id"]}
    assert [row["_notification"] for row in found.table("delivery.csv")] == ["sent"]


async def test_a_guard_refuses_the_drop_with_a_full_result_set(kit):
    seed(kit, *members(3))
    kit.projects.projects["loyalty"] = loyalty(Feed(name="members", guards=Guards(max_reject_count=1)))
    drop = await run(kit, receive(kit, points(("000", 10), ("001", "x"), ("002", "y"))))
    found = ResultSet(kit, drop)
    assert (drop.verdict, found.statuses) == (DropVerdict.REJECTED, ["skipped", "rejected", "rejected"])
    assert found.summary["guard"] == {"rule": "max_reject_count", "limit": 1, "observed": 2}
    assert b'"rejected"' in found.raw["ack.json"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 0}]


async def test_a_held_drop_waits_without_blocking_and_goes_stale(kit):
    seed(kit, *members(3))
    guards = Guards(max_reject_count=0, action=GuardAction.HOLD)
    kit.projects.projects["loyalty"] = loyalty(Feed(name="members", guards=guards))
    held = await run(kit, receive(kit, points(("000", 10), ("001", 11), ("002", "y"))))
    assert held.state is DropState.HELD
    await run(kit, receive(kit, points(("000", 99))))
    kit.store.write_now(lambda conn: drops.move(conn, held, DropState.PLANNED))
    released = await run(kit, held)
    found = ResultSet(kit, released)
    assert found.codes == ["C01", "", "V01"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 99}]


@pytest.mark.parametrize(
    ("text", "code", "statuses"),
    [
        (b"", "F01", []),
        (b"id.memberId,additionalData.point\n000,1\n001,2\n", "H01", ["skipped", "skipped"]),
        (b"id.memberId,additionalData.points\n000,\xff\n", "D01", ["skipped"]),
        (b'id.memberId,metadata.source\n000,a\n001,"cut', "F03", ["skipped", "skipped"]),
    ],
)
async def test_a_file_refused_as_a_whole_gets_the_full_set_too(kit, text, code, statuses):
    drop = await run(kit, receive(kit, text))
    found = ResultSet(kit, drop)
    assert (drop.verdict, found.statuses) == (DropVerdict.REJECTED, statuses)
    assert found.table("issues.csv")[0]["_code"] == code
    assert found.summary["codes"][code]["count"] == 1


async def test_a_removed_file_walks_the_line_without_changes(kit):
    seed(kit, *members(1))
    drop = receive(kit, points(("000", 10)), verdict=DropVerdict.CANCELLED, reason="removed")
    found = ResultSet(kit, await run(kit, drop))
    assert found.statuses == ["skipped"]
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 0}]


async def test_drops_of_a_feed_take_turns_and_nobody_waits_for_a_dry_run(kit, clock):
    seed(kit, *members(1))
    receive(kit, points(("000", 1)), due_at=clock.now + timedelta(hours=1), dry_run=True)
    slow = receive(kit, points(("000", 1)), due_at=clock.now + timedelta(minutes=1))
    fast = await run(kit, receive(kit, points(("000", 2))))
    assert fast.state is DropState.RECEIVED
    await run(kit, slow)
    assert (await run(kit, fast)).state is DropState.SETTLED
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 2}]


async def test_a_step_that_fails_is_tried_again_and_in_the_end_is_stuck(kit, clock):
    drop = receive(kit, points(("000", 1)))
    kit.projects.projects.clear()
    for _ in range(kit.steps.last):
        await run(kit, drop)
        clock.advance(timedelta(hours=1))
    drop = kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))
    assert (drop.stuck, drop.last_error, drop.state) == (True, "ConfigurationError", DropState.RECEIVED)

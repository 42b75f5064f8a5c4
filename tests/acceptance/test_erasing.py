"""A person is erased: nothing of them is left but what the law wants kept, and no file brings them back."""

import gzip
import re
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.project import GuardAction
from flatfile_sync.domain.states import Platform
from flatfile_sync.pipeline import erasing, operate, retention
from flatfile_sync.pipeline.deliver import deliver
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import accounts, audit, consents, drops, links, memories, passes, registrations, wallet_tables
from flatfile_sync.store.tables import METADATA
from tests.builders import kit as make_kit
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed

CANARY = "kanarienvogel"
WHO = f"{CANARY}@x.example"
AGREED = "2026-07-01T00:00:00Z"


@pytest.fixture
def kit(store, spool, clock):
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes())
    store.write_now(lambda conn: accounts.add(conn, name="partner", project="loyalty", feeds=(), now=clock()))
    return kit


@pytest.fixture
def project(kit):
    return kit.projects.projects["loyalty"]


def seeded(kit):
    """Store two passes of one person, and one of somebody else with devices, messages, links and memories."""
    seed(
        kit,
        ({"memberId": "1", "email": WHO}, {"additionalData.name": CANARY}, 2, 1),
        ({"memberId": "2", "email": WHO, "passType": "gift"}, {"additionalData.balance": "5"}, 1, 0),
        ({"memberId": "3", "email": "other@x.example"}, {"additionalData.points": 7}, 1, 1),
    )
    now = kit.clock()

    def work(conn):
        for number, device in ((1, "phone"), (1, "watch"), (2, "phone"), (3, "other")):
            registrations.add(conn, device=device, pass_no=number, push_token=f"{device}{number}", now=now)
        memories.keep_many(conn, "apple", {1: {"key_id": "k"}, 3: {"key_id": "k"}})
        memories.keep_many(conn, "google", {1: {"hash": "h"}})
        ends = now + timedelta(days=1)
        links.add_many(conn, [("link1", [1, 2]), ("link3", [3])], created_at=now, expires_at=ends)

    kit.store.write_now(work)


def erase(kit, key, project):
    def work(conn):
        return erasing.erase(conn, erasing.find_person(conn, key, project), project, clock=kit.clock)

    return kit.store.write_now(work)


def rows_that_hold(kit, word):
    """Return (table, column) of every row of the database that holds a word."""

    def work(conn):
        found = set()
        for table in METADATA.tables.values():
            for row in conn.execute(sa.select(table)).mappings():
                found |= {(table.name, name) for name, value in row.items() if word in str(value).lower()}
        return found

    return kit.store.read_now(work)


async def told(kit):
    """Let the person agree and get a message, of which only the second platform has had the time to go out."""
    head = "id.memberId,notification.message,consent.marketing,consent.marketing.at,consent.marketing.proof\n"
    text = head + f"1,Dear {CANARY},yes,{AGREED},form 12\n3,Dear other,yes,{AGREED},form 13\n"
    drop = receive(kit, text, feed="campaign")
    await advance(drop.id, kit=kit)
    await deliver("google", kit=kit)
    return drop


async def test_nothing_of_the_person_is_left_but_the_proof_of_what_they_agreed_to(kit, project):
    seeded(kit)
    await told(kit)
    removed = erase(kit, f"email={WHO}", project)
    assert (removed.passes, removed.identifiers, removed.devices, removed.links) == (2, 4, 3, 2)
    assert (removed.messages, removed.consents) == (2, 1)
    assert rows_that_hold(kit, CANARY) == {("consents", "subject")}

    def left(conn):
        numbers = {table: set(conn.execute(sa.select(table.c.pass_no)).scalars()) for table in _OF_PASSES}
        return numbers, conn.execute(sa.text("SELECT status, document, apple FROM passes ORDER BY no")).all()

    numbers, rows = kit.store.read_now(left)
    assert numbers[wallet_tables.registrations] == numbers[wallet_tables.links] == {3}
    assert numbers[wallet_tables.platform_memories] == {1, 3}  # Google's, to empty the object
    assert [tuple(row) for row in rows[:2]] == [("erased", "{}", 0)] * 2
    assert rows[2].status == "active"
    assert document_of(kit, "memberId", "3") == [{"additionalData.points": 7}]


_OF_PASSES = (wallet_tables.registrations, wallet_tables.links, wallet_tables.platform_memories)


async def test_google_is_told_to_show_an_empty_pass_and_apple_nothing(kit, project):
    seeded(kit)
    await told(kit)
    before = kit.store.read_now(lambda conn: passes.load_many(conn, [1, 2]))
    erase(kit, "memberId=1", project)
    for platform in Platform:
        await deliver(platform.value, kit=kit)
    revision, document = kit.platforms[Platform.GOOGLE].contents[before[0].id]
    assert (revision, document) == (before[0].revision + 1, {})
    assert before[0].id not in kit.platforms[Platform.APPLE].messages
    assert set(kit.platforms[Platform.APPLE].contents) == set()


async def test_a_late_file_does_not_bring_the_person_back(kit, project):
    seeded(kit)
    [first, *_] = kit.store.read_now(lambda conn: passes.load_many(conn, [1]))
    erase(kit, "memberId=1", project)
    text = f"id,id.memberId,id.email,additionalData.points\n,1,,5\n{first.id},,,5\n,9,{WHO},5\n,3,,8\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="enrol")))
    assert found.codes == ["K08", "K08", "K08", ""]
    assert {row["_column"] for row in found.table("issues.csv")} == {"id.memberId", "id", "id.email"}
    assert all(WHO not in row["_message"] + row["_value"] for row in found.table("issues.csv"))
    found = ResultSet(kit, await run(kit, receive(kit, "id.memberId,additionalData.points\n2,5\n4,4\n")))
    assert found.codes == ["K08", "K02"]
    assert rows_that_hold(kit, WHO) == set()


@pytest.mark.parametrize(
    ("feed", "text", "codes"),
    [
        ("members", f"id.memberId,additionalData.name\n1,{CANARY}\n3,Other\n", ["A01", ""]),
        ("enrol", f"id.memberId,id.email\n7,{WHO}\n8,new@x.example\n", ["K08", ""]),
    ],
)
async def test_a_file_that_was_planned_before_finds_nobody(kit, project, feed, text, codes):
    seeded(kit)
    limits = replace(project.feed(feed).guards, max_reject_count=0, action=GuardAction.HOLD)
    holding = tuple(replace(one, guards=limits) if one.name == feed else one for one in project.feeds)
    kit.projects.projects["loyalty"] = replace(project, feeds=holding, version="v2")
    drop = receive(kit, text + "nobody\n", feed=feed)
    await advance(drop.id, kit=kit)
    erase(kit, "memberId=1", project)

    def release(conn):
        return operate.release(conn, drops.by_id(conn, drop.id), spool=kit.spool, clock=kit.clock)

    kit.store.write_now(release)
    assert ResultSet(kit, await run(kit, drop)).codes[:2] == codes
    assert rows_that_hold(kit, CANARY) == set()


async def test_what_somebody_erased_says_about_consent_is_not_kept(kit, project):
    seeded(kit)
    await told(kit)
    erase(kit, "memberId=1", project)
    head = "id.memberId,id.email,consent.marketing,consent.marketing.at\n"
    text = head + f"1,,yes,2026-08-02T00:00:00Z\n,{WHO},yes,2026-08-02T00:00:00Z\n3,,no,2026-08-02T00:00:00Z\n"
    await run(kit, receive(kit, text, feed="mixed"))
    said = kit.store.read_now(lambda conn: consents.of_subject(conn, "loyalty", ("email", WHO)))
    assert [(row.granted, row.source, row.proof) for row in said] == [(True, None, "form 12"), (False, "erasure", None)]
    other = kit.store.read_now(lambda conn: consents.of_subject(conn, "loyalty", ("email", "other@x.example")))
    assert [row.granted for row in other] == [True, False]


async def test_the_proof_goes_when_the_project_says_so(kit, project):
    seeded(kit)
    await told(kit)
    erase(kit, "memberId=1", project)
    kit.clock.advance(project.retention.consents - timedelta(days=1))
    await retention.expire(kit=kit)
    assert rows_that_hold(kit, CANARY) == {("consents", "subject")}
    kit.clock.advance(timedelta(days=1, seconds=1))
    removed = await retention.expire(kit=kit)
    assert (removed.consents, rows_that_hold(kit, CANARY)) == (2, set())
    assert len(kit.store.read_now(lambda conn: consents.of_subject(conn, "loyalty", ("email", "other@x.example")))) == 1


async def test_files_that_still_name_the_person_are_found_with_the_day_they_go(kit, project, tmp_path):
    seed(kit, ({"memberId": "M1001", "email": WHO}, {}))
    drop = await run(kit, receive(kit, f"id.email,additionalData.points\n{WHO},5\n", feed="mixed"))
    await run(kit, receive(kit, "id.memberId,additionalData.points\nM10011,5\nXM1001,5\n"))
    packed = gzip.compress(b"id.memberId,additionalData.points\nM1001,5\n")
    waiting = receive(kit, packed, name="members-2.csv.gz")
    person = kit.store.read_now(lambda conn: erasing.find_person(conn, "memberId=M1001", project))
    found = list(erasing.traces(person, project, store=kit.store, spool=kit.spool, work=tmp_path))
    reported = drop.reported_at + project.retention.reports
    kinds = {(trace.zone, trace.name.removeprefix(f"{drop.result_name}."), trace.until) for trace in found}
    assert kinds == {
        ("archive", "csv", drop.reported_at + project.retention.archive),
        ("outbox", "result.csv", reported),
        ("outbox", "delivery.csv", drop.settled_at + project.retention.reports),
        ("under way", waiting.file_name, None),
    }


async def test_the_trail_says_what_was_done_and_not_to_whom(kit, project):
    seeded(kit)
    erase(kit, f"email={WHO}", project)
    [told] = kit.store.read_now(lambda conn: audit.events(conn, "person_erased"))
    assert (told["project"], told["passes"], told["devices"], len(told["pass_ids"])) == ("loyalty", 2, 3, 2)
    assert not re.search(f"{CANARY}|example", str(told))


async def test_somebody_who_comes_back_is_readmitted(kit, project):
    seeded(kit)
    erase(kit, "memberId=1", project)
    with pytest.raises(Refused, match="No pass"):
        erase(kit, "memberId=1", project)
    kit.store.write_now(lambda conn: erasing.readmit(conn, "id.memberId=1", project, clock=kit.clock))
    kit.store.write_now(lambda conn: erasing.readmit(conn, f"email={WHO}", project, clock=kit.clock))
    with pytest.raises(Refused, match="Nobody"):
        kit.store.write_now(lambda conn: erasing.readmit(conn, "memberId=1", project, clock=kit.clock))
    text = f"id.memberId,id.email,additionalData.points\n1,{WHO},5\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="enrol")))
    assert found.statuses == ["applied"]
    assert document_of(kit, "memberId", "1") == [{"additionalData.points": 5}]


def test_passes_that_changed_while_somebody_looked_are_not_erased(kit, project):
    seeded(kit)
    person = kit.store.read_now(lambda conn: erasing.find_person(conn, "memberId=1", project))
    kit.store.write_now(lambda conn: passes.touch_many(conn, [2], tag=1, now=0))
    with pytest.raises(Refused, match="nothing was erased"):
        kit.store.write_now(lambda conn: erasing.erase(conn, person, project, clock=kit.clock))
    assert kit.store.read_now(lambda conn: passes.count(conn, "loyalty")) == 3


@pytest.mark.parametrize(("key", "why"), [("memberId=9", "No pass"), ("crm=1", "is no identifier"), ("x", "this id")])
def test_whoever_is_not_there_is_not_erased(kit, project, key, why):
    with pytest.raises(Refused, match=why):
        erase(kit, key, project)

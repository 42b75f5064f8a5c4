"""Passes that a file creates, and what is kept of records that are rejected."""

import asyncio

import pytest
import sqlalchemy as sa

from flatfile_sync.domain import faults
from flatfile_sync.domain.project import PassType
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import tables
from tests.builders import kit as make_kit
from tests.builders import loyalty
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms=sandboxes())


async def test_a_pass_created_updated_and_voided_in_one_file_has_one_revision(kit):
    text = (
        "id.memberId,id.crm.contactId,op,additionalData.points,metadata.source\n"
        "5,C5,upsert,1,\n,C5,update,2,shop\n5,,void,,\n5,,create,9,\n"
    )
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.statuses == ["applied", "applied", "applied", "rejected"]
    assert found.codes == ["", "", "", "K05"]
    assert [row["_revision"] for row in found.rows] == ["1", "1", "1", ""]
    assert document_of(kit, "memberId", "5") == [{"additionalData.points": 2, "metadata.source": "shop"}]


async def test_records_that_counted_on_a_creator_that_is_rejected_create_the_pass_or_find_none(kit):
    seed(kit, ({"memberId": "000", "crm.contactId": "C0"}, {}))
    text = (
        "id.memberId,op,set.id.crm.contactId,additionalData.points\n"
        "5,upsert,C0,1\n5,update,,2\n5,upsert,,3\n5,update,,4\n"
    )
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.codes == ["K07", "K02", "", ""]
    assert found.statuses == ["rejected", "rejected", "applied", "applied"]
    assert document_of(kit, "memberId", "5") == [{"additionalData.points": 4}]


async def test_a_record_that_could_not_create_the_pass_may_follow_one_that_does(kit):
    text = "id.memberId,id.email,op,additionalData.points\n5,a@x.example,upsert,1\n,a@x.example,upsert,2\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert (found.statuses, found.codes) == (["applied", "applied"], ["", ""])


async def test_a_follower_is_looked_for_among_the_passes_of_the_feed_only(kit):
    text = "id.memberId,passType,op,additionalData.points\n5,gift,upsert,1\n5,,update,2\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.codes == ["", "K02"]


async def test_two_feeds_that_planned_the_same_new_pass_make_one(kit, monkeypatch):
    first = receive(kit, "id.memberId,op,additionalData.points\n5,upsert,1\n", feed="mixed")
    second = receive(kit, "id.memberId,additionalData.tier\n5,Gold\n", feed="enrol")

    def stop(name):
        if name == "apply.inside_chunk":
            raise OSError("not yet")

    with monkeypatch.context() as patch:
        patch.setattr(faults, "hook", stop)
        await advance(first.id, kit=kit)
        await advance(second.id, kit=kit)
    kit.clock.advance(kit.steps.ceiling)
    await asyncio.gather(advance(first.id, kit=kit), advance(second.id, kit=kit))
    found = [ResultSet(kit, await run(kit, drop)) for drop in (first, second)]
    assert [each.statuses for each in found] == [["applied"], ["applied"]]
    assert document_of(kit, "memberId", "5") == [{"additionalData.points": 1, "additionalData.tier": "Gold"}]
    assert found[0].rows[0]["_pass_id"] == found[1].rows[0]["_pass_id"]


async def test_consent_is_recorded_whenever_its_subject_can_be_read(kit):
    seed(kit, ({"memberId": "1", "email": "one@x.example"}, {}), ({"memberId": "2"}, {}))
    text = (
        "id.memberId,id.email,additionalData.points,consent.marketing,consent.marketing.at\n"
        "1,,wrong,yes,2026-07-01T00:00:00Z\n"  # the pass names the person
        "2,,wrong,no,2026-07-02T00:00:00Z\n"  # a pass without person speaks for itself
        "9,nine@x.example,1,yes,2026-07-03T00:00:00Z\n"  # no such pass, and still a person
        "9,,1,yes,2026-07-04T00:00:00Z\n"  # nobody
        "1,,,no,2026-07-05T00:00:00Z\n1,,7,,\n"
    )
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert found.codes == ["V01", "V01", "K02", "K02", "", ""]
    columns = (tables.consents.c.record, tables.consents.c.subject_kind, tables.consents.c.subject)
    rows = kit.store.read_now(lambda conn: conn.execute(sa.select(*columns).order_by(columns[0])).all())
    passes = {row.subject for row in rows if row.subject_kind == "pass"}
    assert [(row.record, row.subject_kind) for row in rows] == [(1, "email"), (2, "pass"), (3, "email"), (5, "email")]
    assert [row.subject for row in rows if row.subject_kind == "email"] == [
        "one@x.example",
        "nine@x.example",
        "one@x.example",
    ]
    assert len(passes) == 1


async def test_a_pass_is_not_created_without_the_identifiers_that_it_shows(kit):
    """A barcode of nothing opens no door."""
    card = PassType(name="card", required_identifiers=("memberId",))
    kit.projects.projects["loyalty"] = loyalty(pass_types=(card,))
    text = "id.crm.contactId,id.memberId,additionalData.points\nC1,,1\nC2,2,2\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="enrol")))
    assert found.codes == ["K06", ""]
    assert found.statuses == ["rejected", "applied"]
    assert found.table("issues.csv")[0]["_hint"] == "Fill in id.memberId."

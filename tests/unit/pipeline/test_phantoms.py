import pytest

from flatfile_sync.pipeline.phantoms import assume
from flatfile_sync.pipeline.read import read
from flatfile_sync.pipeline.validate import validate
from flatfile_sync.store import identifiers, passes
from tests.builders import drop, loyalty
from tests.builders import kit as make_kit


@pytest.fixture
def assumed(sqlite_store, spool, clock):
    """Assume the passes of a text; returns each as (pass type, its identifiers)."""

    async def run(text, *, feed="mixed", chunk_records=2):
        kit = make_kit(sqlite_store, spool, clock=clock, chunk_records=chunk_records)
        project, job = loyalty(), drop(feed=feed)
        spool.put(job.blob, text.encode())
        reading = await read(job, project, project.feed(feed), kit=kit)
        checked = await validate(job, reading, project, project.feed(feed), kit=kit)
        folder = spool.work(job.id)
        count = assume(checked, project, project.feed(feed), folder=folder, store=sqlite_store, clock=clock)
        with sqlite_store.snapshot() as conn:
            found = passes.load_many(conn, list(range(1, count + 1)))
            named = identifiers.of_passes(conn, [row.no for row in found])
        assert len(found) == count
        return [(row.pass_type, {kind: value for number, kind, value in named if number == row.no}) for row in found]

    return run


async def test_each_pass_that_a_record_names_is_assumed_once(assumed):
    text = "id.memberId,additionalData.points\n1,5\n2,5\n1,6\n"
    assert await assumed(text, feed="members") == [("card", {"memberId": "1"}), ("card", {"memberId": "2"})]


async def test_identifiers_of_one_pass_come_together_and_a_contradiction_stays_one(assumed):
    text = "id.memberId,id.crm.contactId,op\n1,,update\n1,C1,update\n,C1,void\n1,C2,update\n2,C1,update\n"
    assert await assumed(text) == [("card", {"crm.contactId": "C1", "memberId": "1"})]


async def test_passes_that_share_an_identifier_stay_apart(assumed):
    text = "id.memberId,id.email,metadata.source\n1,a@b.example,x\n2,a@b.example,x\n,c@d.example,x\n"
    assert await assumed(text) == [
        ("card", {"email": "a@b.example", "memberId": "1"}),
        ("card", {"email": "a@b.example", "memberId": "2"}),
        ("card", {"email": "c@d.example"}),
    ]


async def test_what_an_earlier_record_creates_is_not_assumed(assumed):
    text = "id.memberId,op\n1,upsert\n1,update\n2,update\n2,upsert\n"
    assert await assumed(text) == [("card", {"memberId": "2"})]
    assert await assumed("id.memberId,additionalData.points\n7,1\n", feed="enrol") == []


async def test_one_value_may_stand_for_a_pass_of_each_type(assumed):
    text = "id.memberId,passType,metadata.source\n1,gift,x\n1,card,x\n1,,x\n"
    assert await assumed(text) == [("gift", {"memberId": "1"}), ("card", {"memberId": "1"})]


async def test_our_own_ids_are_kept(assumed, sqlite_store):
    await assumed("id,id.memberId,metadata.source\none,,x\none,1,x\n,1,x\n")
    row = sqlite_store.read_now(lambda conn: passes.by_id(conn, "one"))
    assert sqlite_store.read_now(lambda conn: identifiers.of_passes(conn, [row.no])) == [(row.no, "memberId", "1")]
    assert sqlite_store.read_now(lambda conn: passes.count(conn, "loyalty")) == 1


async def test_records_with_errors_and_files_that_are_refused_name_nothing(assumed):
    assert await assumed("id.memberId,additionalData.points\n1,x\n", feed="members") == []
    assert await assumed("id.memberId,additionalData.pints\n1,1\n", feed="members") == []

"""A chunk is merged ahead of its transaction; what happens in between must make no difference."""

import pytest

from flatfile_sync.pipeline.drafting import draft_chunk, passes_of
from tests.builders import kit as make_kit
from tests.doubles import InlineCompute
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed

HEAD = "id.memberId,additionalData.points\n"


class Interrupting(InlineCompute):
    """Lets something happen once, right after a chunk was drafted; remembers which chunks had a draft."""

    def __init__(self):
        super().__init__()
        self.between = None
        self.drafted = []

    async def run(self, function, /, *args, **kwargs):
        result = await super().run(function, *args, **kwargs)
        if function is passes_of:
            self.drafted.append(result is not None)
        if function is draft_chunk and self.between is not None:
            happen, self.between = self.between, None
            await happen()
        return result


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms=sandboxes(), compute=Interrupting())


async def test_a_pass_written_after_the_draft_keeps_what_was_written(kit):
    seed(kit, *[({"memberId": f"{n}"}, {"additionalData.points": 0}) for n in range(3)])
    other = "id.memberId,metadata.source\n1,shop\n"

    async def another_feed():
        await run(kit, receive(kit, other, feed="enrol"))

    kit.compute.between = another_feed
    found = ResultSet(kit, await run(kit, receive(kit, HEAD + "0,5\n1,6\n2,7\n")))
    assert found.statuses == ["applied"] * 3
    assert [row["_revision"] for row in found.rows] == ["2", "3", "2"]
    assert document_of(kit, "memberId", "1") == [{"additionalData.points": 6, "metadata.source": "shop"}]


async def test_a_record_that_changed_nothing_stays_unchanged_whatever_comes_after_its_draft(kit):
    seed(kit, ({"memberId": "0"}, {"additionalData.points": 5}), ({"memberId": "1"}, {"additionalData.points": 5}))

    async def another_feed():
        await run(kit, receive(kit, HEAD + "0,9\n", feed="enrol"))

    kit.compute.between = another_feed
    found = ResultSet(kit, await run(kit, receive(kit, HEAD + "0,5\n1,6\n")))
    # As if the record had come before the other feed's: it says so with the revision it saw.
    assert [(row["_status"], row["_revision"]) for row in found.rows] == [("unchanged", "1"), ("applied", "2")]
    assert document_of(kit, "memberId", "0") == [{"additionalData.points": 9}]


async def test_a_device_registered_after_the_draft_is_notified(kit):
    seed(kit, ({"memberId": "0"}, {}, 0, 0))

    async def somebody_adds_the_pass():
        await kit.store.write(lambda conn: conn.exec_driver_sql("UPDATE passes SET apple = 1"))

    kit.compute.between = somebody_adds_the_pass
    found = ResultSet(kit, await run(kit, receive(kit, HEAD + "0,5\n")))
    assert [row["_apple"] for row in found.rows] == ["queued"]


async def test_a_pass_removed_after_the_draft_is_not_there(kit):
    seed(kit, ({"memberId": "0"}, {}), ({"memberId": "1"}, {}))

    async def somebody_removes_it():
        await kit.store.write(lambda conn: conn.exec_driver_sql("DELETE FROM passes WHERE no = 1"))

    kit.compute.between = somebody_removes_it
    assert ResultSet(kit, await run(kit, receive(kit, HEAD + "0,5\n1,5\n"))).codes == ["A01", ""]


@pytest.mark.parametrize(
    ("feed", "text", "drafted"),
    [
        ("members", HEAD + "0,5\n7,5\n", True),
        ("enrol", HEAD + "0,5\n1,6\n", False),
        ("mixed", "id.memberId,status\n0,voided\n", False),
        ("mixed", "id.memberId,op\n0,void\n", True),
    ],
)
async def test_only_chunks_that_need_nothing_but_their_passes_are_drafted(kit, feed, text, drafted):
    seed(kit, ({"memberId": "0"}, {}))
    await run(kit, receive(kit, text, feed=feed))
    assert kit.compute.drafted == [drafted]

"""What was pushed has arrived once a device has fetched the pass, and the drop that owed it is over then."""

from datetime import timedelta

import pytest

from flatfile_sync.domain.delivery import Settlement
from flatfile_sync.domain.states import DropState, Platform
from flatfile_sync.pipeline.deliver import deliver
from flatfile_sync.pipeline.fetching import Fetches
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import drops
from flatfile_sync.wallets.sandbox.platform import Sandbox
from tests.builders import kit as make_kit
from tests.line import ResultSet, document_of, receive, seed

HEAD = "id.memberId,additionalData.points\n"


class Taking(Sandbox):
    """Takes every push, as APNs does, and never says more."""

    answers_later = False

    async def send(self, parcels):
        return [Settlement(delivery_id=parcel.delivery.id, accepted=True) for parcel in parcels]


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms={name: Taking(name) for name in Platform})


def members(kit, count=2):
    seed(kit, *[({"memberId": f"{n}"}, {}, 1, 0) for n in range(count)])


async def pushed(kit, text, **changes):
    drop = receive(kit, text, **changes)
    await advance(drop.id, kit=kit)
    await deliver("apple", kit=kit)
    return drop


async def settled(kit, drop):
    await advance(drop.id, kit=kit)
    return kit.store.read_now(lambda conn: drops.by_id(conn, drop.id)).state is DropState.SETTLED


async def test_a_drop_is_over_when_every_pass_was_fetched(kit):
    members(kit)
    drop = await pushed(kit, HEAD + "0,5\n1,6\n")
    fetches = Fetches(kit)
    fetches.note(1, 2)
    await fetches.flush()
    assert not await settled(kit, drop)
    fetches.note(2, 2)
    await fetches.flush()
    assert await settled(kit, drop)
    assert [row["_apple"] for row in ResultSet(kit, drop).table("delivery.csv")] == ["fetched", "fetched"]


async def test_a_device_that_was_handed_an_older_revision_has_not_got_the_new_one(kit):
    members(kit, 1)
    drop = await pushed(kit, HEAD + "0,5\n")
    fetches = Fetches(kit)
    fetches.note(1, 1)
    await fetches.flush()
    assert not await settled(kit, drop)


async def test_a_fetch_that_overtakes_the_answer_to_its_push_counts_for_a_minute(kit):
    members(kit, 1)
    fetches = Fetches(kit)
    fetches.note(1, 2)
    await fetches.flush()
    drop = await pushed(kit, HEAD + "0,5\n")
    kit.clock.advance(timedelta(seconds=59))
    await fetches.flush()
    assert await settled(kit, drop)


async def test_a_fetch_is_forgotten_after_a_minute(kit):
    members(kit, 1)
    fetches = Fetches(kit)
    fetches.note(1, 2)
    kit.clock.advance(timedelta(seconds=61))
    await fetches.flush()
    drop = await pushed(kit, HEAD + "0,5\n")
    await fetches.flush()
    assert not await settled(kit, drop)
    assert document_of(kit, "memberId", "0")[0]["additionalData.points"] == 5


async def test_a_message_has_arrived_with_the_pass_that_carries_it(kit):
    members(kit, 1)
    drop = await pushed(kit, "id.memberId,notification.message\n0,Gate 5\n", feed="mixed")
    before = int(ResultSet(kit, drop).rows[0]["_revision"])
    fetches = Fetches(kit)
    fetches.note(1, before)
    await fetches.flush()
    assert not await settled(kit, drop)
    # To carry a message is a change that devices see.
    fetches.note(1, before + 1)
    await fetches.flush()
    assert await settled(kit, drop)
    assert [row["_notification"] for row in ResultSet(kit, drop).table("delivery.csv")] == ["fetched"]

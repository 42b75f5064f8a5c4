"""Two feeds at work on the same passes at the same time."""

import asyncio

import orjson
import sqlalchemy as sa

from flatfile_sync.domain.states import DropState
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import drops, tables
from tests.builders import kit as make_kit
from tests.line import ResultSet, receive, sandboxes, seed

MEMBERS = 10_000


async def test_two_feeds_write_different_keys_of_the_same_passes_at_once_and_no_key_is_lost(store, spool, clock):
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes(), chunk_records=1000)
    seed(kit, *[({"memberId": f"{n}"}, {}) for n in range(MEMBERS)])
    points = "id.memberId,additionalData.points\n" + "".join(f"{n},{n}\n" for n in range(MEMBERS))
    # The other file names the passes backwards, so that the two meet in different chunks.
    source = "id.memberId,metadata.source\n" + "".join(f"{n},s{n}\n" for n in reversed(range(MEMBERS)))
    both = receive(kit, points, feed="members"), receive(kit, source, feed="mixed")
    await asyncio.gather(*(advance(drop.id, kit=kit) for drop in both))
    ended = [kit.store.read_now(lambda conn, drop=drop: drops.by_id(conn, drop.id)) for drop in both]
    assert [drop.state for drop in ended] == [DropState.REPORTED] * 2
    for drop in ended:
        assert set(ResultSet(kit, drop).statuses) == {"applied"}
    passes = tables.passes.c
    rows = kit.store.read_now(lambda conn: conn.execute(sa.select(passes.revision, passes.document)).all())
    assert {revision for revision, _ in rows} == {3}
    documents = [orjson.loads(document) for _, document in rows]
    assert all(len(found) == 2 for found in documents)
    assert {(found["additionalData.points"], found["metadata.source"]) for found in documents} == {
        (n, f"s{n}") for n in range(MEMBERS)
    }
    # One open push per pass and platform: the later of the two revisions.
    owed = tables.deliveries.c
    query = sa.select(owed.revision, sa.func.count()).where(owed.state != "settled").group_by(owed.revision)
    assert kit.store.read_now(lambda conn: conn.execute(query).all()) == [(3, 2 * MEMBERS)]


async def test_the_same_file_twice_at_once_is_applied_once(store, spool, clock):
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes())
    seed(kit, ({"memberId": "1"}, {}))
    text = "id.memberId,additionalData.points\n1,5\n"
    twins = [receive(kit, text) for _ in range(3)]
    for _ in range(3):
        await asyncio.gather(*(advance(drop.id, kit=kit) for drop in twins))
    verdicts = [kit.store.read_now(lambda conn, drop=drop: drops.by_id(conn, drop.id)).verdict for drop in twins]
    assert verdicts == ["applied", "duplicate", "duplicate"]

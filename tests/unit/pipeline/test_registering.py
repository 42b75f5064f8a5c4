"""Registrations beside what was handed out: nobody who adds a pass is left with an old one."""

import pytest

from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.states import Platform
from flatfile_sync.pipeline.registering import hand_out, register, unregister
from flatfile_sync.store import lanes, memories, passes
from tests.builders import kit as make_kit
from tests.line import seed
from tests.web_line import change


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock)


def owed(kit):
    return kit.store.write_now(lambda conn: lanes.take(conn, "apple", limit=9, now=kit.clock()))


async def test_a_pass_that_changed_between_download_and_tap_is_pushed(kit):
    """Nobody held it when it changed, so nothing was owed then; now somebody does."""
    (pass_id,) = seed(kit, ({"memberId": "M1"}, {}, 0, 0))
    await hand_out({1: 1}, kit=kit)
    kit.store.write_now(lambda conn: change(conn, kit.clock(), [pass_id], {"additionalData.points": 5}))
    assert await register(1, "device", "ab", most=9, kit=kit)
    (delivery,) = owed(kit)
    assert (delivery.pass_no, delivery.revision, delivery.drop_id) == (1, 2, None)
    assert kit.engine.keys(TaskKind.DELIVER) == ["apple"]


async def test_a_pass_that_did_not_change_is_not_pushed(kit):
    """Not for a first device, nor for a token that is told anew, nor where nobody knows what was handed out."""
    seed(kit, ({"memberId": "M1"}, {}, 0, 0), ({"memberId": "M2"}, {}, 0, 0))
    await hand_out({1: 1}, kit=kit)
    assert await register(1, "device", "ab", most=9, kit=kit)
    assert await register(1, "device", "cd", most=9, kit=kit) is False
    assert await register(2, "device", "ab", most=9, kit=kit)
    assert owed(kit) == []
    assert kit.engine.submitted == []
    assert await unregister(1, "device", kit=kit)
    assert not await unregister(1, "device", kit=kit)


async def test_what_was_handed_out_stands_beside_what_else_is_remembered(kit):
    """The key of the token is not lost by it."""
    seed(kit, ({"memberId": "M1"}, {}, 0, 0))
    kit.store.write_now(lambda conn: memories.keep_many(conn, "apple", {1: {"token_key": "2026"}}))
    await hand_out({1: 3}, kit=kit)
    await hand_out({1: 3}, kit=kit)
    kept = kit.store.read_now(lambda conn: memories.of_passes(conn, Platform.APPLE.value, [1]))
    assert kept == {1: {"token_key": "2026", "handed": 3}}
    assert kit.store.read_now(lambda conn: passes.load_many(conn, [1]))[0].apple == 0

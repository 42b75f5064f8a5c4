"""Saves: callbacks as Google sends them, with replays and retries, down to the pass; on both databases."""

import json
from datetime import timedelta

import pytest

from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.states import Lane, Platform
from flatfile_sync.pipeline import retention
from flatfile_sync.pipeline.retention import NONCES_KEPT
from flatfile_sync.pipeline.saves import note_save
from flatfile_sync.store import lanes, nonces, passes
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.google.callbacks import Callback, root_keys, verify
from flatfile_sync.wallets.google.rendering import Names
from tests.builders import kit
from tests.google_double.callbacks import Sender
from tests.google_line import CLASS_ID, ISSUER

NAMES = Names(issuer=ISSUER)


@pytest.fixture
def line(store, spool, clock):
    row = PassRow(0, "p1", "loyalty", "card", "active", 4, "{}", None, "{}", 0, 0, 0)
    store.write_now(lambda conn: passes.create_many(conn, [row], tag=next_tag(conn), created_at=0))
    return kit(store, spool, clock=clock)


def saved(line):
    return line.store.read_now(lambda conn: passes.by_id(conn, "p1")).google


def door(line, sender, *, failing=0):
    """Return what the web door does with a callback; the first `failing` times it dies before it has noted it."""
    keys = root_keys(json.dumps(sender.keys()).encode())
    calls = []

    async def deliver(body):
        calls.append(body)
        if len(calls) <= failing:
            return 503
        found = verify(body, keys=keys, recipient=ISSUER, now=line.clock())
        if not isinstance(found, Callback):
            return 400
        await note_save(NAMES.pass_id(found.object_id) or "", found.event, found.nonce, kit=line)
        return 200

    return deliver


async def test_a_save_counts_once_however_often_it_is_told_and_owes_the_content(line, clock):
    sender = Sender(clock=clock)
    assert await sender.send(door(line, sender, failing=2), f"{ISSUER}.p1", CLASS_ID, replays=3)
    assert (sender.answers, saved(line)) == ([503, 503, 200, 200, 200, 200], 1)
    clock.advance(timedelta(seconds=5))
    owed = line.store.write_now(lambda conn: lanes.take(conn, Platform.GOOGLE, limit=9, now=clock.now))
    assert [(found.pass_id, found.revision, found.lane, found.drop_id) for found in owed] == [
        ("p1", 4, Lane.OPERATIONAL, None)
    ]
    assert line.engine.keys(TaskKind.DELIVER) == ["google"]


async def test_one_of_two_holders_who_takes_the_pass_out_leaves_the_other(line, clock):
    sender = Sender(clock=clock)
    deliver = door(line, sender)
    for event in ("save", "save", "del"):
        await sender.send(deliver, f"{ISSUER}.p1", CLASS_ID, event)
    assert saved(line) == 1
    for _ in range(2):
        await sender.send(deliver, f"{ISSUER}.p1", CLASS_ID, "del")
    assert saved(line) == 0


async def test_a_second_save_owes_nothing_more_while_something_is_owed(line, clock):
    sender = Sender(clock=clock)
    for _ in range(2):
        await sender.send(door(line, sender), f"{ISSUER}.p1", CLASS_ID)
    clock.advance(timedelta(seconds=5))
    owed = line.store.write_now(lambda conn: lanes.take(conn, Platform.GOOGLE, limit=9, now=clock.now))
    assert (len(owed), saved(line)) == (1, 2)


@pytest.mark.parametrize("object_id", [f"{ISSUER}.unheard", "3388000000099999999.p1", f"{ISSUER}."])
async def test_a_pass_that_nobody_knows_changes_nothing(line, clock, object_id):
    sender = Sender(clock=clock)
    assert await sender.send(door(line, sender), object_id, CLASS_ID)
    assert saved(line) == 0


async def test_nonces_are_forgotten_long_after_their_callbacks_expired(line, clock):
    assert await note_save("p1", "save", "n1", kit=line)
    clock.advance(NONCES_KEPT - timedelta(days=1))
    await retention.expire(kit=line)
    assert not await note_save("p1", "save", "n1", kit=line)
    clock.advance(timedelta(days=2))
    await retention.expire(kit=line)
    assert line.store.write_now(lambda conn: nonces.take(conn, "n1", now=clock.now))

import gzip
import os
from datetime import timedelta

import orjson
import pytest

from flatfile_sync.domain.drop import LISTED_AFTER
from flatfile_sync.domain.failures import LostTurnError, Refused
from flatfile_sync.domain.states import DropState, DropVerdict, UploadState, UploadVerdict
from flatfile_sync.pipeline import receive
from flatfile_sync.pipeline.line import advance
from flatfile_sync.pipeline.receive import Place
from flatfile_sync.store import accounts, artefacts, audit, drops, uploads
from tests.builders import kit as make_kit
from tests.line import ResultSet, sandboxes, seed

TEXT = b"id.memberId,additionalData.points\n1,2\n"


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms=sandboxes())


@pytest.fixture
def partner(kit):
    def add(conn):
        accounts.add(conn, name="partner", project="loyalty", feeds=[], now=kit.clock())
        return accounts.by_name(conn, "partner")

    return kit.store.write_now(add)


def inbox(name="members.csv", folder=None, zone="inbox"):
    return Place(zone=zone, folder=folder, name=name)


async def opened(kit, account, place, data=TEXT, *, resume=False):
    upload, descriptor = await receive.begin(account, place, resume=resume, kit=kit)
    os.pwrite(descriptor, data, 0)
    return upload, descriptor


async def put(kit, account, place, data=TEXT):
    upload, descriptor = await opened(kit, account, place, data)
    return await close(kit, account, upload, descriptor, data)


async def close(kit, account, upload, descriptor, data=TEXT):
    ended = data.endswith(b"\n")
    try:
        return await receive.close(account, upload, descriptor, size=len(data), sha256=None, ended=ended, kit=kit)
    finally:
        os.close(descriptor)


def all_drops(kit):
    return kit.store.read_now(drops.listing)


def upload_of(kit, upload):
    return kit.store.read_now(lambda conn: uploads.by_id(conn, upload.id))


def acks(kit):
    found = kit.store.read_now(lambda conn: artefacts.listing(conn, "partner", "outbox", ""))
    return [
        orjson.loads(kit.spool.path(entry.blob).read_bytes()) for entry in found if entry.name.endswith(".ack.json")
    ]


async def test_a_close_is_an_upload_a_drop_and_an_acknowledgement(kit, partner):
    upload = await put(kit, partner, inbox())
    [drop] = all_drops(kit)
    assert (drop.id, drop.state, drop.feed, drop.bytes) == (upload.drop_id, DropState.RECEIVED, "members", len(TEXT))
    assert drop.due_at == kit.clock() + timedelta(seconds=10)
    assert kit.spool.path(drop.blob).read_bytes() == TEXT
    assert [(ack["decision"], ack["drop_id"], ack["bytes"]) for ack in acks(kit)] == [("queued", drop.id, len(TEXT))]
    assert [task.key for task in kit.engine.submitted] == [drop.id]


async def test_a_last_line_without_its_end_settles_three_times_longer(kit, partner):
    await put(kit, partner, inbox(), TEXT.rstrip())
    assert all_drops(kit)[0].due_at == kit.clock() + timedelta(seconds=30)


async def test_a_packed_file_needs_no_line_end_and_its_layer_is_acknowledged(kit, partner):
    await put(kit, partner, inbox("members.csv.gz"), gzip.compress(TEXT))
    assert all_drops(kit)[0].due_at == kit.clock() + timedelta(seconds=10)
    assert [(ack["decision"], ack["layers"]) for ack in acks(kit)] == [("queued", ["gzip"])]


async def test_the_dry_run_zone_makes_dry_runs(kit, partner):
    await put(kit, partner, inbox(zone="dryrun"))
    assert all_drops(kit)[0].dry_run


async def test_the_folder_names_the_feed_whatever_the_file_is_called(kit, partner):
    await put(kit, partner, inbox("export.txt", folder="enrol"))
    assert all_drops(kit)[0].feed == "enrol"


async def test_a_file_that_no_feed_takes_is_ignored_still_listed_and_answered(kit, partner):
    upload = await put(kit, partner, inbox("strange.txt"))
    found = upload_of(kit, upload)
    assert (found.state, found.verdict) == (UploadState.DONE, UploadVerdict.IGNORED)
    assert all_drops(kit) == []
    assert (await receive.look(partner, inbox("strange.txt"), kit=kit)).size == len(TEXT)
    assert [(ack["decision"], ack["why"]) for ack in acks(kit)] == [("ignored", receive.NO_FEED)]
    kit.clock.advance(LISTED_AFTER)
    assert await receive.look(partner, inbox("strange.txt"), kit=kit) is None


async def test_an_account_uses_its_own_feeds_only(kit, partner):
    await put(kit, partner._replace(feeds=["enrol"]), inbox("members.csv"))
    assert all_drops(kit) == []


async def test_a_temporary_name_waits_for_its_rename_and_is_one_upload(kit, partner):
    upload = await put(kit, partner, inbox("members.csv.filepart"))
    assert all_drops(kit) == []
    await receive.rename(partner, inbox("members.csv.filepart"), inbox(), kit=kit)
    [drop] = all_drops(kit)
    assert (drop.upload_id, drop.file_name) == (upload.id, "members.csv")
    assert drop.due_at == kit.clock() + timedelta(seconds=2)
    assert await receive.look(partner, inbox("members.csv.filepart"), kit=kit) is None


async def test_a_second_rename_takes_the_first_drop_back(kit, partner):
    await put(kit, partner, inbox())
    await receive.rename(partner, inbox(), inbox("enrol.csv"), kit=kit)
    assert [drop.feed for drop in all_drops(kit)] == ["enrol"]
    assert [ack["file"] for ack in acks(kit)] == ["enrol.csv"]


async def test_a_file_stays_in_its_zone(kit, partner):
    await put(kit, partner, inbox())
    with pytest.raises(Refused, match="zone"):
        await receive.rename(partner, inbox(), inbox(zone="dryrun"), kit=kit)


async def test_overwritten_before_its_turn_is_replaced_and_reported_as_cancelled(kit, partner):
    seed(kit, ({"memberId": "1"}, {}))
    first = await put(kit, partner, inbox())
    second = await put(kit, partner, inbox(), TEXT + b"2,3\n")
    assert upload_of(kit, first).verdict is UploadVerdict.REPLACED
    await advance(first.drop_id, kit=kit)
    kit.clock.advance(timedelta(seconds=10))
    await advance(second.drop_id, kit=kit)
    done = {drop.id: drop for drop in all_drops(kit)}
    assert done[first.drop_id].verdict is DropVerdict.CANCELLED
    found = ResultSet(kit, done[first.drop_id])
    assert (found.statuses, found.summary["counts"]["read"]) == (["skipped"], 1)
    assert orjson.loads(found.raw["ack.json"])["why"] == "overwritten before its turn"
    assert done[second.drop_id].verdict is DropVerdict.PARTIAL


async def test_removed_before_its_turn_is_cancelled(kit, partner):
    upload = await put(kit, partner, inbox())
    await receive.remove(partner, inbox(), kit=kit)
    assert upload_of(kit, upload).verdict is UploadVerdict.CANCELLED
    await advance(upload.drop_id, kit=kit)
    assert all_drops(kit)[0].verdict is DropVerdict.CANCELLED


async def test_after_its_turn_the_name_is_a_ghost_that_cannot_be_changed(kit, partner):
    upload = await put(kit, partner, inbox())
    kit.clock.advance(timedelta(seconds=10))
    await advance(upload.drop_id, kit=kit)
    assert (await receive.look(partner, inbox(), kit=kit)).id == upload.id
    for change in (
        receive.remove(partner, inbox(), kit=kit),
        receive.rename(partner, inbox(), inbox("members2.csv"), kit=kit),
        receive.begin(partner, inbox(), resume=True, kit=kit),
    ):
        with pytest.raises(Refused, match="already accepted"):
            await change
    again = await put(kit, partner, inbox())
    assert again.id != upload.id


async def test_a_second_writer_on_a_name_is_refused(kit, partner):
    _, descriptor = await opened(kit, partner, inbox())
    for change in (
        receive.begin(partner, inbox(), resume=False, kit=kit),
        receive.remove(partner, inbox(), kit=kit),
        receive.rename(partner, inbox(), inbox("x.csv"), kit=kit),
    ):
        with pytest.raises(Refused, match="under way"):
            await change
    os.close(descriptor)


async def test_an_abandoned_upload_is_never_ingested_and_can_be_resumed(kit, partner):
    upload, descriptor = await opened(kit, partner, inbox(), TEXT[:20])
    os.close(descriptor)
    await receive.abandon(upload, size=20, reason="connection lost", kit=kit)
    assert (upload_of(kit, upload).verdict, all_drops(kit)) == (UploadVerdict.ABANDONED, [])
    assert [(ack["decision"], ack["why"], ack["bytes"]) for ack in acks(kit)] == [("abandoned", "connection lost", 20)]
    resumed, descriptor = await receive.begin(partner, inbox(), resume=True, kit=kit)
    assert (resumed.id, os.pread(descriptor, 100, 0)) == (upload.id, TEXT[:20])
    os.pwrite(descriptor, TEXT[20:], 20)
    await close(kit, partner, resumed, descriptor)
    [drop] = all_drops(kit)
    assert kit.spool.path(drop.blob).read_bytes() == TEXT


async def test_a_closed_upload_that_goes_on_takes_its_drop_back(kit, partner):
    upload = await put(kit, partner, inbox())
    resumed, descriptor = await receive.begin(partner, inbox(), resume=True, kit=kit)
    assert (resumed.id, all_drops(kit), acks(kit)) == (upload.id, [], [])
    os.pwrite(descriptor, b"2,3\n", len(TEXT))
    await close(kit, partner, resumed, descriptor, TEXT + b"2,3\n")
    [drop] = all_drops(kit)
    assert kit.spool.path(drop.blob).read_bytes() == TEXT + b"2,3\n"


async def test_what_clients_had_open_when_the_server_died_is_abandoned(kit, partner):
    upload, descriptor = await opened(kit, partner, inbox())
    os.close(descriptor)
    assert await receive.abandon_left(kit=kit) == 1
    assert (upload_of(kit, upload).verdict, upload_of(kit, upload).size) == (UploadVerdict.ABANDONED, len(TEXT))
    assert await receive.abandon_left(kit=kit) == 0


async def test_a_rename_that_meets_the_claim_loses(kit, partner, monkeypatch):
    upload = await put(kit, partner, inbox())
    kit.clock.advance(timedelta(seconds=10))
    opening = kit.spool.open

    def claimed_meanwhile(blob):
        kit.store.write_now(lambda conn: uploads.settle(conn, upload.id, verdict=UploadVerdict.DROP))
        return opening(blob)

    monkeypatch.setattr(kit.spool, "open", claimed_meanwhile)
    with pytest.raises(LostTurnError):
        await receive.rename(partner, inbox(), inbox("enrol.csv"), kit=kit)
    assert [drop.file_name for drop in all_drops(kit)] == ["members.csv"]


async def test_a_rejects_file_finds_its_feed_and_parent_by_its_name(kit, partner):
    upload = await put(kit, partner, inbox())
    [parent] = all_drops(kit)
    await put(kit, partner, inbox(f"{parent.result_name}.rejects.csv"))
    child = all_drops(kit)[0]
    assert (child.feed, child.parent_id) == ("members", upload.drop_id)
    await put(kit, partner._replace(name="other"), inbox(f"{parent.result_name}.rejects.csv"))
    assert all_drops(kit)[0].parent_id is None


async def test_the_trail_names_every_close_and_removal(kit, partner):
    upload = await put(kit, partner, inbox())
    await receive.remove(partner, inbox(), kit=kit)
    for event in ("upload_closed", "upload_removed"):
        found = kit.store.read_now(lambda conn, event=event: audit.events(conn, event))
        assert [entry["upload"] for entry in found] == [upload.id]

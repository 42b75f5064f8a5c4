"""A packed file goes down the line as its content would, and comes back as bytes of its content."""

import gzip
from dataclasses import replace

import orjson
import pytest

from flatfile_sync.domain.layers import Layer, LayerLimits
from flatfile_sync.domain.states import DropState, DropVerdict
from flatfile_sync.pipeline.claim import claim
from flatfile_sync.store import artefacts, drops, feeds
from tests.builders import kit as make_kit
from tests.builders import loyalty
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed
from tests.packing import PACK

TEXT = '\ufeffid.memberId;additionalData.points\r\n000;10\r\n001;"x\r\ny"\r\n\r\n002;12\r\n'.encode()
BAD = '\ufeffid.memberId;additionalData.points\r\n001;"x\r\ny"\r\n'.encode()


@pytest.fixture
def kit(sqlite_store, spool, clock):
    kit = make_kit(sqlite_store, spool, clock=clock, platforms=sandboxes())
    seed(kit, *[({"memberId": f"{n:03}"}, {"additionalData.points": n}) for n in range(3)])
    return kit


def limited(kit, **limits):
    project = kit.projects.projects["loyalty"]
    changed = [replace(feed, layers=LayerLimits(**limits)) for feed in project.feeds]
    kit.projects.projects["loyalty"] = loyalty(*changed)


@pytest.mark.parametrize("layer", Layer)
async def test_lines_and_rejects_are_those_of_the_content(kit, layer):
    packed = PACK[layer](TEXT)
    found = ResultSet(kit, drop := await run(kit, receive(kit, packed)))
    assert found.statuses == ["applied", "rejected", "applied"]
    assert [(row["_line"], row["_line_end"]) for row in found.rows] == [("2", "2"), ("3", "4"), ("6", "6")]
    assert found.raw["rejects.csv"] == BAD
    assert found.summary["layers"] == [layer]
    assert (found.summary["bytes"], drop.bytes) == (len(packed), len(packed))
    assert found.summary["content_sha256"] != found.summary["sha256"]


async def test_the_archive_keeps_what_was_sent(kit):
    packed = gzip.compress(TEXT)
    drop = await run(kit, receive(kit, packed, name="members.csv.gz"))
    [kept] = [
        entry for entry in kit.store.read_now(lambda conn: artefacts.of_drop(conn, drop.id)) if entry.zone == "archive"
    ]
    assert kit.spool.path(kept.blob).read_bytes() == packed
    assert kept.name.endswith(".gz")


async def test_mended_rejects_of_a_packed_file_come_back_plain_or_packed(kit):
    drop = await run(kit, receive(kit, gzip.compress(TEXT)))
    mended = ResultSet(kit, drop).raw["rejects.csv"].replace(b'"x\r\ny"', b"11")
    child = await run(kit, receive(kit, gzip.compress(mended), name=f"{drop.result_name}.rejects.csv"))
    assert ResultSet(kit, child).statuses == ["applied"]
    assert child.parent_id == drop.id
    assert document_of(kit, "memberId", "001") == [{"additionalData.points": 11}]


@pytest.mark.parametrize(
    "second",
    [TEXT, gzip.compress(TEXT, 1), PACK[Layer.ZIP](TEXT), PACK[Layer.ZSTD](TEXT)],
    ids=["plain", "otherwise", "zip", "zstd"],
)
async def test_a_duplicate_is_one_of_the_content_however_it_is_packed(kit, second):
    first = await run(kit, receive(kit, gzip.compress(TEXT, 9)))
    again = await run(kit, receive(kit, second))
    assert (again.verdict, again.duplicate_of) == (DropVerdict.DUPLICATE, first.id)
    found = ResultSet(kit, again)
    assert found.statuses == ["skipped", "rejected", "skipped"]
    assert found.raw["rejects.csv"] == TEXT.replace(b"\r\n\r\n", b"\r\n")


async def test_a_packed_file_after_a_plain_one_of_other_content_is_applied(kit):
    await run(kit, receive(kit, TEXT))
    other = await run(kit, receive(kit, gzip.compress(TEXT.replace(b"000;10", b"000;99"))))
    assert other.verdict is DropVerdict.PARTIAL
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 99}]


async def test_the_acknowledgement_of_a_duplicate_names_the_layers(kit):
    await run(kit, receive(kit, TEXT))
    again = await run(kit, receive(kit, gzip.compress(PACK[Layer.ZIP](TEXT))))
    ack = orjson.loads(ResultSet(kit, again).raw["ack.json"])
    assert (ack["decision"], ack["layers"]) == ("duplicate", ["gzip", "zip"])


async def test_a_damaged_layer_changes_nothing_and_registers_nothing(kit):
    drop = await run(kit, receive(kit, gzip.compress(TEXT)[:-9]))
    found = ResultSet(kit, drop)
    assert (drop.state, drop.verdict) == (DropState.SETTLED, DropVerdict.REJECTED)
    assert [(row["_code"], row["_retryable"]) for row in found.table("issues.csv")] == [("F11", "true")]
    assert found.summary["counts"]["read"] == 0
    assert (found.summary["layers"], found.summary["content_sha256"]) == (["gzip"], None)
    assert "rejects.csv" not in found.raw
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 0}]
    assert kit.store.read_now(lambda conn: feeds.last_applied(conn, "loyalty", "members")) is None


async def test_the_limits_are_those_of_the_feed(kit):
    limited(kit, max_bytes=len(TEXT) - 1)
    drop = await run(kit, receive(kit, gzip.compress(TEXT)))
    assert [row["_code"] for row in ResultSet(kit, drop).table("issues.csv")] == ["F09"]


async def test_content_that_was_lost_before_the_plan_is_unpacked_again(kit):
    drop = await claim(receive(kit, gzip.compress(TEXT)), kit=kit)
    assert drop.state is DropState.CLAIMED
    (kit.spool.work(drop.id) / "content").unlink()
    assert ResultSet(kit, await run(kit, drop)).statuses == ["applied", "rejected", "applied"]


async def test_a_packed_file_is_not_unpacked_before_its_turn(kit):
    first = receive(kit, TEXT)
    second = receive(kit, gzip.compress(TEXT))
    waiting = await claim(second, kit=kit)
    assert waiting.state is DropState.RECEIVED
    assert not list(kit.spool.work(second.id).iterdir())
    await run(kit, first)
    assert (await run(kit, second)).verdict is DropVerdict.DUPLICATE


async def test_the_content_is_removed_with_the_work_of_the_drop(kit):
    drop = await run(kit, receive(kit, gzip.compress(TEXT)))
    assert kit.store.read_now(lambda conn: drops.by_id(conn, drop.id)).state is DropState.SETTLED
    assert not (kit.spool.root / "work" / drop.id).exists()


async def test_a_packed_dry_run_changes_nothing(kit):
    drop = await run(kit, receive(kit, gzip.compress(TEXT), dry_run=True))
    assert ResultSet(kit, drop).statuses == ["valid", "rejected", "valid"]

"""A step may end anywhere, by a kill or a full disk: walked again, the drop has the result set it would have had."""

import errno
from contextlib import suppress
from datetime import timedelta

import pytest

from flatfile_sync.domain import faults
from flatfile_sync.domain.states import DropState, DropVerdict, Platform
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import chunks, drops, passes
from tests.builders import kit as make_kit
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed

POINTS = (
    "claim.before_commit",
    "plan.before_commit",
    "apply.inside_chunk",
    "apply.verdict_written",
    "apply.before_commit",
    "apply.before_finish",
    "report.files",
    "report.before_commit",
    "deliver.taken",
    "deliver.sent",
    "deliver.settled",
    "settle.files",
    "settle.before_commit",
)


class Killed(BaseException):
    """Ends a step as a kill does: nothing in the product catches it."""


class Stop:
    """Raises an error at the n-th time that a point is passed."""

    def __init__(self, point, error, *, at=1):
        self.point, (self.error, *self.words), self.left = point, error, at

    def __call__(self, name):
        if name == self.point:
            self.left -= 1
            if self.left == 0:
                raise self.error(*self.words)


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms=sandboxes(), chunk_records=3)


def start(kit, name):
    """Receive a file with something of everything; its members are the test's own."""
    seed(kit, *[({"memberId": f"{name}{n}", "email": f"{name}{n}@x.example"}, {}) for n in range(6)])
    rows = (
        "0,update,,5,,",
        "1,update,,x,,",
        "2,void,,,,",
        "3,update,7,1,,",
        "4,update,,,Hello,transactional",
        "8,upsert,,3,,",
        "0,update,,6,,",
        "9,update,,1,,",
        "8,update,,4,,",
    )
    head = "id.memberId,op,set.id.memberId,additionalData.points,notification.message,notification.purpose\n"
    text = head + "".join(f"{name}{row}\n" for row in rows).replace(",7,", f",{name}7,")
    return receive(kit, text, feed="mixed")


def told(kit, drop, name):
    """Return what a result set says, without what is different each time: names, pass ids, time stamps."""
    found, ids = ResultSet(kit, drop), {}
    tables = {}
    for kind in ("result.csv", "issues.csv", "delivery.csv"):
        tables[kind] = [
            {
                column: ids.setdefault(value, f"pass {len(ids)}") if column == "_pass_id" and value else value
                for column, value in row.items()
                if not column.endswith("_at") and column not in {"_attempts", "_reason"}
            }
            for row in found.table(kind)
        ]
    text = repr((tables, found.raw["rejects.csv"], found.summary["counts"], found.summary["codes"]))
    return text.replace(name, "member"), drop.state, drop.verdict


def everything(kit, name):
    return [document_of(kit, "memberId", f"{name}{n}") for n in range(10)]


WRITING = ("plan.before_commit", "apply.verdict_written", "report.files", "settle.files")
FULL = (OSError, errno.ENOSPC, "no space left")


@pytest.mark.parametrize(
    ("error", "points"),
    [((Killed,), (*((point, 1) for point in POINTS), ("apply.before_commit", 3))), (FULL, [(p, 1) for p in WRITING])],
    ids=["kill", "full disk"],
)
async def test_a_step_that_ended_anywhere_is_walked_again_to_the_same_result_set(kit, monkeypatch, error, points):
    undisturbed = told(kit, await run(kit, start(kit, "mAz")), "mAz")
    assert undisturbed[1:] == (DropState.SETTLED, DropVerdict.PARTIAL)
    for place, (point, at) in enumerate(points):
        name = f"m{place}z"
        drop = start(kit, name)
        stop = Stop(point, error, at=at)
        with monkeypatch.context() as patch, suppress(Killed, OSError):
            patch.setattr(faults, "hook", stop)
            await run(kit, drop)
        assert stop.left <= 0, f"{point} was not passed"
        assert told(kit, await run(kit, drop), name) == undisturbed, point
        assert everything(kit, name) == everything(kit, "mAz"), point
        messages = {text for said in kit.platforms[Platform.APPLE].messages.values() for text in said}
        assert messages == {"Hello"}
    assert all(len(said) == 1 for said in kit.platforms[Platform.APPLE].messages.values())


async def test_a_disk_that_stays_full_makes_the_drop_stuck_and_a_retry_goes_on(kit, monkeypatch):
    undisturbed = told(kit, await run(kit, start(kit, "mAz")), "mAz")
    drop = start(kit, "mBz")
    with monkeypatch.context() as patch:
        patch.setattr(faults, "hook", Always("apply.verdict_written", FULL))
        for _ in range(kit.steps.last):
            await advance(drop.id, kit=kit)
            kit.clock.advance(kit.steps.ceiling)
    stuck = kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))
    assert (stuck.stuck, stuck.last_error, stuck.state) == (True, "OSError", DropState.PLANNED)
    assert everything(kit, "mBz")[0] == [{}]
    kit.store.write_now(lambda conn: drops.note(conn, stuck, stuck=False, attempts=0, due_at=None))
    assert told(kit, await run(kit, drop), "mBz") == undisturbed


class Always(Stop):
    """Raises at every passing."""

    def __call__(self, name):
        if name == self.point:
            raise self.error(*self.words)


async def stopped(kit, monkeypatch, drop, point, *, at=1):
    """Walk a drop until it is killed at a point, and return it as it stands."""
    with monkeypatch.context() as patch, suppress(Killed):
        patch.setattr(faults, "hook", Stop(point, (Killed,), at=at))
        await advance(drop.id, kit=kit)
    return kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))


@pytest.mark.parametrize("damage", ["changed", "lost"])
async def test_a_verdict_file_that_is_not_the_committed_one_is_noticed(kit, monkeypatch, spool, damage):
    drop = await stopped(kit, monkeypatch, start(kit, "mAz"), "report.files")
    chunk = kit.store.read_now(lambda conn: chunks.of_drop(conn, drop.id))[0]
    file = spool.work(drop.id) / chunk.verdict_file
    whole = file.read_bytes()
    if damage == "lost":
        file.unlink()
    else:
        file.write_bytes(whole.replace(b"applied", b"skipped"))
    await advance(drop.id, kit=kit)
    damaged = kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))
    assert (damaged.state, damaged.last_error) == (DropState.APPLIED, "DamagedFileError")
    assert "summary.json" not in ResultSet(kit, damaged).raw
    file.write_bytes(whole)
    kit.clock.advance(timedelta(minutes=1))
    assert (await run(kit, drop)).state is DropState.SETTLED


async def test_a_drop_cancelled_halfway_keeps_what_was_applied_and_says_so_after_any_restart(kit, monkeypatch):
    drop = await stopped(kit, monkeypatch, start(kit, "mAz"), "apply.before_commit", at=2)
    assert drop.state is DropState.PLANNED
    words = {"verdict": DropVerdict.CANCELLED, "reason": "cancelled by an operator"}
    cancelled = kit.store.write_now(lambda conn: drops.note(conn, drop, **words))
    await stopped(kit, monkeypatch, cancelled, "apply.before_commit", at=2)
    found = ResultSet(kit, await run(kit, drop))
    assert found.summary["verdict"] == "cancelled"
    expected = ["unprocessed", "rejected", "applied", *["unprocessed"] * 4, "rejected", "unprocessed"]
    assert found.statuses == expected
    assert [row["_record"] for row in found.table("delivery.csv")] == ["3"]


async def test_a_refused_drop_says_skipped_for_every_record_after_a_restart_too(kit, monkeypatch):
    words = {"verdict": DropVerdict.CANCELLED, "reason": "removed"}
    text = "id.memberId,additionalData.points\n" + "".join(f"{n},1\n" for n in range(7))
    seed(kit, *[({"memberId": f"{n}"}, {}) for n in range(7)])
    drop = receive(kit, text, **words)
    assert (await stopped(kit, monkeypatch, drop, "apply.before_commit", at=2)).state is DropState.PLANNED
    assert ResultSet(kit, await run(kit, drop)).statuses == ["skipped"] * 7


async def test_a_step_at_work_notices_that_its_drop_was_cancelled(kit, monkeypatch):
    drop = start(kit, "mAz")

    def cancel(name):
        if name == "apply.verdict_written":
            monkeypatch.undo()
            raise Killed

    monkeypatch.setattr(faults, "hook", cancel)
    with suppress(Killed):
        await advance(drop.id, kit=kit)
    seen = kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))
    kit.store.write_now(lambda conn: drops.note(conn, seen, verdict=DropVerdict.CANCELLED, reason="cancelled"))
    with monkeypatch.context() as patch:
        patch.setattr("flatfile_sync.pipeline.line.drops.by_id", lambda *_: seen)
        await advance(drop.id, kit=kit)
    assert kit.store.read_now(lambda conn: passes.find(conn, "loyalty", "memberId", "mAz0"))[0].revision == 1
    assert (await run(kit, drop)).verdict is DropVerdict.CANCELLED

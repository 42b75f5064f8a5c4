from dataclasses import replace

import orjson
import pytest

from flatfile_sync.domain.failures import LostTurnError, Refused
from flatfile_sync.domain.project import Feed, GuardAction, Guards
from flatfile_sync.domain.states import DropState, DropVerdict, UploadState, UploadVerdict
from flatfile_sync.pipeline import operate
from flatfile_sync.pipeline.line import outstanding
from flatfile_sync.store import artefacts, audit, drops, projects, uploads
from tests.builders import kit as make_kit
from tests.builders import loyalty
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed

TEXT = "id.memberId,additionalData.points\n000,10\n001,x\n"


@pytest.fixture
def kit(store, spool, clock):
    made = make_kit(store, spool, clock=clock, platforms=sandboxes())
    seed(made, *(({"memberId": f"{n:03}"}, {"additionalData.points": n}) for n in range(3)))
    return made


def order(kit, verb, drop, **more):
    """Do what the command line does: find the drop by its first digits and ask, in one transaction."""

    def work(conn):
        return verb(conn, operate.find(conn, drop.id[:10]), clock=kit.clock, **more)

    return kit.store.write_now(work)


def hold(kit):
    guards = Guards(max_reject_count=0, action=GuardAction.HOLD)
    kit.projects.projects["loyalty"] = loyalty(Feed(name="members", guards=guards))


def make_stuck(kit, drop, state=DropState.RECEIVED):
    def work(conn):
        stuck = drop if drop.state is state else drops.move(conn, drop, state)
        return drops.note(conn, stuck, stuck=True, attempts=8, last_error="OSError", due_at=None)

    return kit.store.write_now(work)


def events(kit, name):
    return kit.store.read_now(lambda conn: audit.events(conn, name))


def ack(kit, drop):
    return orjson.loads(ResultSet(kit, drop).raw["ack.json"])


async def test_a_stuck_drop_is_retried_and_walks_on(kit):
    drop = make_stuck(kit, receive(kit, TEXT))
    assert await outstanding(kit=kit) == []
    freed = order(kit, operate.retry, drop)
    assert (freed.stuck, freed.attempts, freed.due_at) == (False, 0, kit.clock())
    assert [task.key for task in await outstanding(kit=kit)] == [drop.id]
    done = await run(kit, freed)
    assert (done.state, done.verdict) == (DropState.SETTLED, DropVerdict.PARTIAL)
    assert events(kit, "drop_retried") == [{"drop": drop.id, "file": "members.csv", "last_error": "OSError"}]


def test_a_drop_that_is_not_stuck_is_not_retried(kit):
    with pytest.raises(Refused, match="is RECEIVED and not stuck"):
        order(kit, operate.retry, receive(kit, TEXT))
    assert events(kit, "drop_retried") == []


async def test_a_held_drop_is_released_and_applied(kit):
    hold(kit)
    held = await run(kit, receive(kit, TEXT))
    assert (held.state, ack(kit, held)["decision"]) == (DropState.HELD, "held")
    released = order(kit, operate.force, held, spool=kit.spool)
    assert released.state is DropState.PLANNED
    assert (ack(kit, held)["decision"], ack(kit, held)["why"]) == ("queued", "released by an operator")
    done = await run(kit, released)
    assert ResultSet(kit, done).statuses == ["applied", "rejected"]
    assert ResultSet(kit, done).summary["reason"] == "released by an operator"
    [told] = events(kit, "drop_released")
    assert told["reason"].startswith("1 of 2 records")


async def test_a_duplicate_is_applied_as_a_drop_of_its_own(kit):
    await run(kit, receive(kit, TEXT))
    duplicate = await run(kit, receive(kit, TEXT))
    assert duplicate.verdict is DropVerdict.DUPLICATE
    fresh = order(kit, operate.force, duplicate, spool=kit.spool)
    assert fresh.id != duplicate.id
    assert fresh.seq > duplicate.seq
    assert (fresh.state, fresh.forced, fresh.blob) == (DropState.RECEIVED, True, duplicate.blob)
    assert ack(kit, fresh)["decision"] == "queued"
    assert events(kit, "drop_forced") == [{"drop": duplicate.id, "file": "members.csv", "new_drop": fresh.id}]
    with pytest.raises(Refused, match=f"is forced already: drop {fresh.id[:12]} is RECEIVED"):
        order(kit, operate.force, duplicate, spool=kit.spool)
    done = await run(kit, fresh)
    assert (done.state, done.verdict) == (DropState.SETTLED, DropVerdict.PARTIAL)
    assert ResultSet(kit, done).statuses == ["unchanged", "rejected"]
    assert ResultSet(kit, duplicate).statuses == ["skipped", "rejected"]


async def test_a_duplicate_whose_bytes_are_gone_is_refused(kit):
    await run(kit, receive(kit, TEXT))
    duplicate = await run(kit, receive(kit, TEXT))
    kit.spool.delete(duplicate.blob)
    with pytest.raises(Refused, match="past their retention"):
        order(kit, operate.force, duplicate, spool=kit.spool)


async def test_an_applied_drop_cannot_be_forced(kit):
    done = await run(kit, receive(kit, TEXT))
    with pytest.raises(Refused, match=r"is SETTLED \(partial\); only a held drop or a duplicate"):
        order(kit, operate.force, done, spool=kit.spool)


async def test_a_received_drop_is_cancelled_and_changes_nothing(kit):
    drop = receive(kit, TEXT)
    cancelled = order(kit, operate.cancel, drop, spool=kit.spool)
    assert (cancelled.state, cancelled.verdict) == (DropState.RECEIVED, DropVerdict.CANCELLED)
    done = await run(kit, cancelled)
    assert (done.state, done.verdict) == (DropState.SETTLED, DropVerdict.CANCELLED)
    assert ResultSet(kit, done).statuses == ["skipped", "rejected"]
    assert ack(kit, done)["decision"] == "ignored"
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 0}]
    upload = kit.store.read_now(lambda conn: uploads.by_id(conn, drop.upload_id))
    assert (upload.state, upload.verdict) == (UploadState.DONE, UploadVerdict.CANCELLED)
    assert events(kit, "drop_cancelled") == [
        {"drop": drop.id, "file": "members.csv", "state": "RECEIVED", "reason": None}
    ]


async def test_a_held_drop_is_cancelled_and_reports(kit):
    hold(kit)
    held = await run(kit, receive(kit, TEXT))
    done = await run(kit, order(kit, operate.cancel, held, spool=kit.spool))
    assert (done.state, done.verdict, done.reason) == (
        DropState.SETTLED,
        DropVerdict.CANCELLED,
        "cancelled by an operator",
    )
    assert ResultSet(kit, done).statuses == ["skipped", "rejected"]
    assert ack(kit, done)["decision"] == "ignored"


async def test_a_drop_stuck_in_a_step_is_cancelled(kit):
    drop = receive(kit, TEXT, sha256="0" * 64)
    version = kit.projects.projects["loyalty"]
    stuck = make_stuck(kit, drop, DropState.CLAIMED)
    kit.store.write_now(lambda conn: drops.note(conn, stuck, project_version=pin(conn, kit, version)))
    done = await run(kit, order(kit, operate.cancel, stuck, spool=kit.spool))
    assert (done.state, done.verdict) == (DropState.SETTLED, DropVerdict.CANCELLED)
    assert document_of(kit, "memberId", "000") == [{"additionalData.points": 0}]


def pin(conn, kit, project):
    document = kit.projects.dump(project)
    projects.pin(conn, version=project.version, project=project.name, document=document, now=kit.clock())
    return project.version


@pytest.mark.parametrize("state", [DropState.CLAIMED, DropState.PLANNED, DropState.APPLIED])
def test_a_drop_that_a_step_works_on_is_not_cancelled(kit, state):
    drop = receive(kit, TEXT)
    kit.store.write_now(lambda conn: drops.move(conn, drop, state))
    with pytest.raises(Refused, match=f"is {state}; only a drop that is RECEIVED, HELD or stuck"):
        order(kit, operate.cancel, drop, spool=kit.spool)


async def test_an_ended_drop_is_not_cancelled(kit):
    done = await run(kit, receive(kit, TEXT))
    with pytest.raises(Refused, match=r"is SETTLED \(partial\); there is nothing left to cancel"):
        order(kit, operate.cancel, done, spool=kit.spool)


def test_a_drop_that_moved_meanwhile_is_left_alone(kit):
    drop = receive(kit, TEXT)
    kit.store.write_now(lambda conn: drops.move(conn, drop, DropState.CLAIMED))
    with pytest.raises(LostTurnError):
        kit.store.write_now(lambda conn: operate.cancel(conn, drop, spool=kit.spool, clock=kit.clock))
    assert kit.store.read_now(lambda conn: artefacts.of_drop(conn, drop.id)) == []


def test_the_first_digits_find_a_drop_and_must_find_one_only(kit):
    first = receive(kit, TEXT)
    second = receive(kit, TEXT, name="more.csv", id="abc1" + "0" * 28, result_name="one")
    third = receive(kit, TEXT, name="again.csv", id="abc2" + "0" * 28, result_name="two")
    kit.store.read_now(lambda conn: operate.find(conn, first.id[:16]))
    found = kit.store.read_now(lambda conn: operate.find(conn, "ABC2"))
    assert found == replace(third, seq=found.seq)
    with pytest.raises(Refused, match="More than one") as refused:
        kit.store.read_now(lambda conn: operate.find(conn, "abc"))
    assert second.id[:12] in str(refused.value)
    assert "again.csv" in str(refused.value)
    for text in ("zz", "", "%"):
        with pytest.raises(Refused, match="There is no drop"):
            kit.store.read_now(lambda conn, text=text: operate.find(conn, text))

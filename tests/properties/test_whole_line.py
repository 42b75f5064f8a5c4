"""Random files with random damage along the whole line: the invariants of ARCHITECTURE.md hold for each."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from unittest import mock

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from flatfile_sync.domain import faults
from flatfile_sync.domain.states import DropState, DropVerdict
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import drops, passes, tables
from tests.builders import kit as make_kit
from tests.line import ResultSet, receive, sandboxes, seed

MEMBERS = [*(f"00{n}" for n in range(6)), "999", ""]
HEADER = "id.memberId,id.crm.contactId,additionalData.points,additionalData.tier,additionalData.name,metadata.source\n"
rows = st.tuples(
    st.sampled_from(MEMBERS),
    st.sampled_from(["", "", "C000", "C001", "C999"]),
    st.sampled_from(["", "1", "2", "x", "-1", "NULL"]),
    st.sampled_from(["", "Gold", "Silver", "gold", '"NULL"']),
    st.sampled_from(["", "Anna", "a name that is far too long"]),
    st.sampled_from(["", "shop", '"two\nlines"', '"quote "" here"', "NULL"]),
)
lines = rows.map(lambda cells: ",".join(cells) + "\n")
damage = st.sampled_from(["1,2\n", "\x00,,,,,\n", "\n", "001,,1,,,\r,\n", "001,,,,,a\rb\n", '002,,,,,"tail"x\n'])
# One stray quote a file: of two of them, a rejects file without the lines between can make a whole record.
files = st.tuples(st.lists(lines, max_size=7), st.lists(damage, max_size=1)).flatmap(
    lambda parts: st.permutations([*parts[0], *parts[1]])
)


@pytest.fixture
def kit(sqlite_store, spool, clock):
    kit = make_kit(sqlite_store, spool, clock=clock, platforms=sandboxes(), chunk_records=3)
    documents = ({"additionalData.points": n % 3, "metadata.source": "shop"} for n in range(6))
    seed(kit, *[({"memberId": f"00{n}", "crm.contactId": f"C00{n}"}, d) for n, d in enumerate(documents)])
    return kit


def walk(kit, text, **more):
    drop = receive(kit, text, **more)
    asyncio.run(advance(drop.id, kit=kit))
    return kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))


def owed(kit, drop):
    deliveries = tables.deliveries.c
    query = sa.select(deliveries.pass_no, deliveries.platform).where(deliveries.drop_id == drop.id)
    return sorted(kit.store.read_now(lambda conn: conn.execute(query).all()))


def changed_passes(kit, before):
    found = kit.store.read_now(lambda conn: passes.load_many(conn, sorted(before)))
    return {row.no for row in found if row.revision != before[row.no]}


def revisions(kit):
    columns = tables.passes.c.no, tables.passes.c.revision
    return dict(kit.store.read_now(lambda conn: conn.execute(sa.select(*columns)).all()))


@settings(max_examples=12)
@given(files)
def test_counts_reconcile_changes_are_pushed_once_and_a_repetition_changes_nothing(kit, chosen):
    text, before = HEADER + "".join(chosen), revisions(kit)
    drop = walk(kit, text, forced=True)
    found = ResultSet(kit, drop)
    counts = found.summary["counts"]
    assert counts["read"] == len(found.rows) == sum(count for name, count in counts.items() if name != "read")
    assert Counter(found.statuses) == {name: n for name, n in counts.items() if n and name != "read"}
    assert [int(row["_record"]) for row in found.rows] == list(range(1, len(found.rows) + 1))
    rejected = [row["_record"] for row in found.rows if row["_status"] == "rejected"]
    errors = {row["_record"] for row in found.table("issues.csv") if row["_severity"] == "error" and row["_record"]}
    assert errors == set(rejected)
    changed = changed_passes(kit, before)
    assert owed(kit, drop) == sorted((number, platform) for number in changed for platform in ("apple", "google"))
    assert all(row["_apple"] == row["_google"] == "none" for row in found.rows if not row["_changed"])
    assert bool(changed) == any(row["_status"] == "applied" for row in found.rows)
    again = walk(kit, text, forced=True)
    if not _order_matters(found):
        assert "applied" not in ResultSet(kit, again).statuses
        assert owed(kit, again) == []


def _order_matters(found):
    """Return whether a pass stands in the file more than once: then its records change it back and forth."""
    named = Counter(row["_pass_id"] for row in found.rows if row["_pass_id"])
    return any(count > 1 for count in named.values())


@settings(max_examples=12)
@given(files)
def test_a_rejects_file_dropped_unchanged_has_the_same_issues_on_the_same_cells(kit, chosen):
    drop = walk(kit, HEADER + "".join(chosen), forced=True)
    found = ResultSet(kit, drop)
    if "rejects.csv" not in found.raw:
        assert "rejected" not in found.statuses
        return
    child = walk(kit, found.raw["rejects.csv"], name=f"{drop.result_name}.rejects.csv")
    back = ResultSet(kit, child)
    assert (child.parent_id, set(back.statuses)) == (drop.id, {"rejected"})
    assert back.raw["rejects.csv"] == found.raw["rejects.csv"]

    def told(result):
        kept = [row for row in result.table("issues.csv") if row["_record"]]
        return [(row["_code"], row["_column"], row["_value"], row["_reject_line"]) for row in kept]

    assert told(back) == told(found)
    assert [row["_line"] for row in back.table("issues.csv")] == [row[3] for row in told(found)]


class Killed(BaseException):
    """Ends a step as a kill does."""


PLACES = ["claim.before_commit", "plan.before_commit", "apply.inside_chunk", "apply.before_commit", "report.files"]
steps = st.sampled_from([*PLACES, "settle.before_commit", "no", "cancel", "wait"])


@settings(max_examples=12)
@given(st.lists(steps, min_size=1, max_size=6))
def test_a_drop_only_moves_forward_whatever_ends_its_steps(kit, story):
    drop = receive(kit, HEADER + "".join(f"00{n},,{len(story)},,,\n" for n in range(5)), forced=True)
    seen = [drop]

    def stop(name):
        if name == step:
            raise Killed

    for step in story:
        if step == "cancel":
            now = seen[-1]
            if now.verdict is None and now.applied_at is None:
                kit.store.write_now(
                    lambda conn, now=now: drops.note(conn, now, verdict=DropVerdict.CANCELLED, reason="cancelled")
                )
        elif step == "wait":
            kit.clock.advance(timedelta(hours=25))
        with mock.patch.object(faults, "hook", stop), suppress(Killed):
            asyncio.run(advance(drop.id, kit=kit))
        seen.append(kit.store.read_now(lambda conn: drops.by_id(conn, drop.id)))
    for _ in range(2):
        # Reported at the first, and at its horizon at the second.
        kit.clock.advance(timedelta(hours=25))
        asyncio.run(advance(drop.id, kit=kit))
    end = kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))
    order = [state for state in DropState if state is not DropState.HELD]
    places = [order.index(drop.state) for drop in [*seen, end]]
    assert places == sorted(places)
    assert end.state is DropState.SETTLED
    found = ResultSet(kit, end)
    sound = {"applied", "unchanged"}
    cancelled = end.verdict is DropVerdict.CANCELLED
    assert set(found.statuses) <= (sound | {"skipped", "unprocessed"} if cancelled else sound)

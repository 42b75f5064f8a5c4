"""Links for holders come back to the partner: of a new pass in its result, of every pass in the daily export."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from flatfile_sync.domain.links import LinkKey
from flatfile_sync.domain.project import Exports
from flatfile_sync.pipeline import erasing, retention
from flatfile_sync.pipeline.exporting import export
from flatfile_sync.pipeline.linking import Linker
from flatfile_sync.store import accounts, artefacts, links, passes
from tests.builders import kit as make_kit
from tests.line import ResultSet, receive, run, sandboxes, seed

LINKER = Linker(key=LinkKey(b"k" * 32), public_url="https://passes.example", life=timedelta(days=30))


@pytest.fixture
def kit(store, spool, clock):
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes(), linker=LINKER)
    project = kit.projects.projects["loyalty"]
    kit.projects.projects["loyalty"] = replace(project, exports=Exports(daily=True))

    def add(conn):
        for name, feeds in (("partner", ()), ("agency", ()), ("till", ("members",))):
            accounts.add(conn, name=name, project="loyalty", feeds=feeds, now=clock())

    store.write_now(add)
    return kit


def opened_by(kit, url):
    """Return the ids of the passes that an address adds."""
    link_id = LINKER.link_id(url)
    numbers = kit.store.read_now(lambda conn: links.passes_of(conn, link_id, now=kit.clock()))
    return [row.id for row in kit.store.read_now(lambda conn: passes.load_many(conn, numbers))]


def exported(kit, account="partner"):
    shown = kit.store.read_now(lambda conn: artefacts.listing(conn, account, "exports", ""))
    texts = {row.name: kit.spool.path(row.blob).read_text() for row in shown}
    return {name: list(csv.DictReader(io.StringIO(text))) for name, text in texts.items()}


def count_links(kit):
    return kit.store.read_now(lambda conn: conn.execute(sa.text("SELECT count(*) FROM links")).scalar_one())


async def test_a_record_that_creates_a_pass_gets_its_link_back(kit):
    seed(kit, ({"memberId": "1"}, {}))
    text = "id.memberId,additionalData.points\n1,5\n2,5\n3,5\n2,6\n"
    drop = await run(kit, receive(kit, text, feed="enrol"))
    rows = ResultSet(kit, drop).rows
    assert [bool(row["_link"]) for row in rows] == [False, True, True, False]
    assert all(row["_link"].startswith("https://passes.example/p/") for row in rows[1:3])
    assert [opened_by(kit, row["_link"]) for row in rows[1:3]] == [[row["_pass_id"]] for row in rows[1:3]]
    assert count_links(kit) == 2


async def test_a_dry_run_and_a_daemon_without_a_door_make_no_links(kit):
    text = "id.memberId,additionalData.points\n2,5\n"
    dry = await run(kit, receive(kit, text, feed="enrol", dry_run=True))
    silent = replace(kit, linker=None)
    wet = await run(silent, receive(silent, text, feed="enrol"))
    assert [ResultSet(kit, drop).rows[0]["_link"] for drop in (dry, wet)] == ["", ""]
    await export(kit=silent)
    [[row]] = exported(kit).values()
    assert (row["link"], count_links(kit)) == ("", 0)


async def test_an_export_says_where_each_pass_is_held_and_how_to_add_it(kit, monkeypatch):
    monkeypatch.setattr("flatfile_sync.pipeline.exporting._PAGE", 2)
    holder = {"memberId": "1", "email": "ana@x.example"}
    seed(kit, (holder, {}, 2, 1), ({"memberId": "2"}, {}, 0, 0), ({"memberId": "3"}, {}, 1, 0))
    text = "id.memberId,op\n3,void\n"
    await run(kit, receive(kit, text, feed="mixed"))
    assert await export(kit=kit) == 1
    [(name, rows)] = exported(kit).items()
    assert name == "loyalty-passes-20260801.csv"
    assert list(rows[0]) == [
        *("id", "passType", "id.memberId", "id.crm.contactId", "id.email", "status", "apple", "google"),
        *("created_at", "modified_at", "link"),
    ]
    told = [(row["id.memberId"], row["id.email"], row["status"], row["apple"], row["google"]) for row in rows]
    assert told == [
        ("1", "ana@x.example", "active", "2", "1"),
        ("2", "", "active", "0", "0"),
        ("3", "", "voided", "1", "0"),
    ]
    assert [opened_by(kit, row["link"]) if row["link"] else [] for row in rows] == [
        [rows[0]["id"]],
        [rows[1]["id"]],
        [],
    ]
    assert rows[2]["modified_at"] == "2026-08-01T04:03:12Z"
    assert exported(kit, "agency") == {name: rows}
    assert exported(kit, "till") == {}


async def test_a_link_is_given_out_again_until_half_of_its_life_is_over(kit):
    seed(kit, ({"memberId": "1"}, {}))
    found = []
    for days in (0, 14, 1, 1, 20):
        kit.clock.advance(timedelta(days=days))
        await export(kit=kit)
        found.append(exported(kit)[f"loyalty-passes-{kit.clock():%Y%m%d}.csv"][0]["link"])
    first, again, third, fourth, fifth = found
    assert first == again != third == fourth != fifth
    kit.store.write_now(lambda conn: links.revoke(conn, LINKER.link_id(fifth), now=kit.clock()))
    await export(kit=kit)
    assert exported(kit)[f"loyalty-passes-{kit.clock():%Y%m%d}.csv"][0]["link"] not in found


async def test_a_link_for_several_passes_is_none_for_one_of_them(kit):
    seed(kit, ({"memberId": "1"}, {}), ({"memberId": "2"}, {}))
    ends = kit.clock() + timedelta(days=300)
    kit.store.write_now(
        lambda conn: links.add_many(conn, [("both" * 4, [1, 2])], created_at=kit.clock(), expires_at=ends)
    )
    await export(kit=kit)
    [rows] = exported(kit).values()
    assert [opened_by(kit, row["link"]) for row in rows] == [[row["id"]] for row in rows]


async def test_whoever_was_erased_is_in_no_export(kit):
    seed(kit, ({"memberId": "1"}, {}), ({"memberId": "2"}, {}))
    project = kit.projects.projects["loyalty"]

    def erase(conn):
        return erasing.erase(conn, erasing.find_person(conn, "memberId=1", project), project, clock=kit.clock)

    kit.store.write_now(erase)
    await export(kit=kit)
    [rows] = exported(kit).values()
    assert [row["id.memberId"] for row in rows] == ["2"]


async def test_a_project_that_wants_no_export_has_none_and_an_old_one_goes(kit):
    seed(kit, ({"memberId": "1"}, {}))
    await export(kit=kit)
    kit.clock.advance(timedelta(days=7, seconds=1))
    await retention.expire(kit=kit)
    assert exported(kit) == {}
    kit.projects.projects["loyalty"] = replace(kit.projects.projects["loyalty"], exports=Exports())
    assert await export(kit=kit) == 0
    assert exported(kit) == {}

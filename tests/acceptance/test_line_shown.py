"""A change owes something only where it is shown."""

import pytest

from flatfile_sync.domain.project import PassType
from flatfile_sync.domain.states import Platform
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import lanes
from tests.builders import kit as make_kit
from tests.builders import loyalty
from tests.line import ResultSet, receive, run, sandboxes, seed

CARD = PassType(
    name="card",
    shown=(
        ("apple", ("additionalData.points", "id.memberId", "status")),
        ("google", ("additionalData.tier", "status")),
    ),
)


@pytest.fixture
def kit(store, spool, clock):
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes())
    kit.projects.projects["loyalty"] = loyalty(pass_types=(CARD,))
    old = {"additionalData.points": 1, "additionalData.tier": "Bronze"}
    seed(kit, *[({"memberId": f"{number}"}, old) for number in range(4)], ({"memberId": "9"}, old, 0, 1))
    return kit


def words(found):
    return [(row["_apple"], row["_google"]) for row in found.rows]


async def test_each_platform_is_owed_what_it_shows(kit):
    """What no platform shows is applied all the same, and reported as not shown."""
    text = (
        "id.memberId,additionalData.points,additionalData.tier,metadata.source\n"
        "0,2,,\n1,,Gold,\n2,,,crm\n3,5,Silver,crm\n9,7,,\n"
    )
    found = ResultSet(kit, await run(kit, receive(kit, text)))
    assert found.statuses == ["applied"] * 5
    assert words(found) == [
        ("queued", "not_shown"),
        ("not_shown", "queued"),
        ("not_shown", "not_shown"),
        ("queued", "queued"),
        ("not_installed", "not_shown"),
    ]
    assert [(row["_key"], row["_apple"], row["_google"]) for row in found.table("delivery.csv")] == [
        ("0", "fetched", ""),
        ("1", "", "sent"),
        ("3", "fetched", "sent"),
    ]
    owed = {name: entry["owed"] for name, entry in found.summary["deliveries"].items()}
    assert owed == {"apple": 2, "google": 2}


async def test_an_identifier_that_is_shown_and_a_status_owe_too(kit):
    """A corrected identifier stands in the barcode, and a voided pass looks so everywhere."""
    text = "id.memberId,set.id.memberId,set.id.email,op\n0,77,,update\n1,,a@mail.example,update\n2,,,void\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert words(found) == [("queued", "not_shown"), ("not_shown", "not_shown"), ("queued", "queued")]


async def test_records_of_one_pass_owe_what_they_change_together(kit):
    """The last record need not be the one whose change is shown, and what was changed back is not shown."""
    text = (
        "id.memberId,additionalData.points,additionalData.tier,metadata.source\n"
        "0,2,,\n0,,,crm\n1,2,Gold,\n1,1,,\n2,2,,\n2,,Gold,\n"
    )
    found = ResultSet(kit, await run(kit, receive(kit, text)))
    assert words(found) == [
        ("queued", "not_shown"),
        ("not_shown", "not_shown"),
        ("not_shown", "queued"),
        ("not_shown", "not_shown"),
        ("queued", "not_shown"),
        ("not_shown", "queued"),
    ]
    assert [(row["_record"], row["_key"], row["_apple"], row["_google"]) for row in found.table("delivery.csv")] == [
        ("1", "0", "fetched", ""),
        ("3", "1", "", "sent"),
        ("5", "2", "fetched", ""),
        ("6", "2", "", "sent"),
    ]


async def test_what_is_open_on_one_platform_is_not_overtaken_by_a_change_on_the_other(kit):
    """Apple still owes its points while Google gets another tier."""
    head = "id.memberId,additionalData.points,additionalData.tier\n"
    await advance(receive(kit, f"{head}0,2,\n").id, kit=kit)
    await advance(receive(kit, f"{head}0,,Gold\n").id, kit=kit)
    due = {
        platform: kit.store.write_now(
            lambda conn, name=platform: lanes.take(conn, name.value, limit=10, now=kit.clock())
        )
        for platform in Platform
    }
    assert {platform.value: len(found) for platform, found in due.items()} == {"apple": 1, "google": 1}


async def test_a_pass_type_that_shows_its_revision_owes_every_change(kit):
    """Whatever changed, the revision did."""
    shown = (("apple", ("*", "status")), ("google", ("status",)))
    kit.projects.projects["loyalty"] = loyalty(pass_types=(PassType(name="card", shown=shown),))
    found = ResultSet(kit, await run(kit, receive(kit, "id.memberId,metadata.source\n0,crm\n")))
    assert words(found) == [("queued", "not_shown")]

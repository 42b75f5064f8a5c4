"""What a feed says about its columns, seen in the result set."""

import pytest

from flatfile_sync.domain.project import Constraints, DataModel, Feed, IdentifierKind, OnError
from tests.builders import field, loyalty
from tests.builders import kit as make_kit
from tests.line import ResultSet, document_of, receive, run, sandboxes, seed


@pytest.fixture
def kit(store, spool, clock):
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes())
    fields = (
        field("additionalData.tier", constraints=Constraints(max_length=6)),
        field("additionalData.points", "integer", on_error=OnError.DROP),
    )
    feed = Feed(
        name="members",
        null_tokens=("NULL",),
        quoted_empty_sets=True,
        notification_alias=True,
        echo="ref",
        ignored=("internal",),
        required=("additionalData.tier",),
        guards=loyalty().feeds[0].guards,
    )
    model = DataModel(fields=fields, identifiers=(IdentifierKind(name="memberId"),))
    kit.projects.projects["loyalty"] = loyalty(feed, model=model)
    seed(kit, *[({"memberId": f"{n}"}, {"additionalData.tier": "old", "additionalData.points": 1}) for n in range(5)])
    return kit


HEAD = "id.memberId,additionalData.tier,additionalData.points,ref,internal,_note"


async def test_empty_quoted_empty_and_null_token_differ_and_ignored_columns_are_ignored(kit):
    rows = '0,,,a,x,y\n1,"",,=b,x,y\n2,NULL,NULL,NULL,x,y\n3,"NULL","",d,x,y\n4,new,many,e,x,y\n'
    found = ResultSet(kit, await run(kit, receive(kit, f"{HEAD}\n{rows}")))
    assert found.statuses == ["unchanged", "applied", "applied", "applied", "applied"]
    assert [row["_echo"] for row in found.rows] == ["a", "=b", "NULL", "d", "e"]
    assert found.codes == ["", "", "", "", "V09"]
    old = {"additionalData.points": 1}
    assert [document_of(kit, "memberId", f"{n}")[0] for n in range(5)] == [
        {"additionalData.tier": "old"} | old,
        {"additionalData.tier": ""} | old,
        {},
        {"additionalData.tier": "NULL"} | old,
        {"additionalData.tier": "new"} | old,
    ]


async def test_the_alias_is_a_message_and_no_value(kit):
    text = "id.memberId,additionalData.tier,additionalData.notification_content\n0,,Gate 4\n1,,\n"
    found = ResultSet(kit, await run(kit, receive(kit, text)))
    assert [(row["_status"], row["_notification"]) for row in found.rows] == [
        ("applied", "queued"),
        ("unchanged", "none"),
    ]
    assert [list(said) for said in kit.platforms["apple"].messages.values()] == [["Gate 4"]]


@pytest.mark.parametrize(
    ("header", "codes"),
    [
        ("id.memberId,additionalData.points", ["H05"]),
        ("id.memberId,additionalData.tier,additionalData.tier", ["H03"]),
        ("id.memberid,additionalData.tier", ["H01", "H04"]),
        ("id.memberId,additionalData.tier,", ["H06"]),
        ("id.memberId,additionalData.tier,status", ["H02"]),
        ("id.memberId,additionalData.tier,_record,_line", []),
    ],
)
async def test_a_header_is_judged_before_any_record(kit, header, codes):
    width = header.count(",")
    found = ResultSet(kit, await run(kit, receive(kit, f"{header}\n0{',' * width}\n")))
    assert [row["_code"] for row in found.table("issues.csv")] == codes
    assert found.statuses == (["skipped"] if codes else ["unchanged"])

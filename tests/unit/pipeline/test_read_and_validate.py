import orjson
import pytest

from flatfile_sync.domain.project import Constraints, DataModel, Feed, IdentifierKind
from flatfile_sync.files.columns import read_table
from flatfile_sync.pipeline.read import read
from flatfile_sync.pipeline.validate import validate
from tests.builders import drop, field, kit, loyalty


@pytest.fixture
def checked(sqlite_store, spool, clock):
    async def run(text, *, feed="members", chunk_records=4):
        project = loyalty()
        means = kit(sqlite_store, spool, clock=clock, chunk_records=chunk_records)
        job = drop(feed=feed)
        spool.put(job.blob, text if isinstance(text, bytes) else text.encode())
        reading = await read(job, project, project.feed(feed), kit=means)
        found = await validate(job, reading, project, project.feed(feed), kit=means)
        rows = [row for part in found.slices for row in read_table(spool.work(job.id) / part.file).to_pylist()]
        for row in rows:
            row["patch"] = orjson.loads(row["patch"])
            row["extra"] = orjson.loads(row["extra"] or "{}")
            row["codes"] = [entry["code"] for entry in orjson.loads(row["issues"] or "[]")]
        return found, rows

    return run


async def test_cells_become_a_patch_of_canonical_values(checked):
    _, [row] = await checked("id.memberId,additionalData.points,additionalData.balance\n007,0120,12.50\n")
    assert row["patch"] == {"additionalData.points": 120, "additionalData.balance": "12.5"}
    assert (row["key"], row["key_type"], row["op"], row["codes"]) == ("007", "id.memberId", "update", [])


async def test_empty_leaves_null_removes_and_wrong_is_an_issue(checked):
    text = 'id.memberId,additionalData.tier\n1,\n2,NULL\n3,"NULL"\n4,Glod\n5,Gold\n'
    found, rows = await checked(text)
    assert [row["patch"] for row in rows] == [
        {},
        {"additionalData.tier": None},
        {},
        {},
        {"additionalData.tier": "Gold"},
    ]
    assert [row["codes"] for row in rows] == [[], [], ["V06"], ["V06"], []]
    assert found.failed == 2


async def test_a_record_without_identifier_says_so(checked):
    _, rows = await checked("id.memberId,id.email,additionalData.points\n,,1\n,a@b.example,2\n")
    assert [row["codes"] for row in rows] == [["K01"], []]
    assert rows[1]["key_type"] == "id.email"


async def test_a_value_that_must_be_unique_is_found_across_chunks(checked):
    rows_of_file = "".join(f"{i},C{i % 7}\n" for i in range(9))
    found, rows = await checked("id.memberId,additionalData.coupon\n" + rows_of_file, chunk_records=3)
    assert [row["codes"] for row in rows] == [[]] * 7 + [["V07"]] * 2
    assert "record 1 too" in orjson.loads(rows[7]["issues"])[0]["message"]
    assert found.failed == 2


async def test_a_bad_header_refuses_the_file_and_every_record_keeps_its_place(checked):
    found, rows = await checked("id.memberId,additionalData.point\n1,2\n3,4\n")
    assert found.refused
    assert [(row["record"], row["line"], row["failed"]) for row in rows] == [(1, 2, False), (2, 3, False)]


async def test_a_campaign_row_carries_message_purpose_and_consent(checked):
    text = (
        "id.memberId,notification.message,notification.message.fr,consent.marketing,consent.marketing.at\n"
        "1,Hello,Salut,opt-in,2026-07-01T10:00:00+02:00\n2,,,,\n3,Hi,,maybe,\n"
    )
    _, rows = await checked(text, feed="campaign")
    assert rows[0]["extra"] == {
        "messages": {"": "Hello", "fr": "Salut"},
        "notification": {"purpose": "marketing"},
        "consents": [{"purpose": "marketing", "granted": True, "at": "2026-07-01T08:00:00Z"}],
    }
    assert [row["codes"] for row in rows] == [[], ["C03"], ["V01"]]


async def test_a_mixed_file_names_its_operations(checked):
    text = "id.memberId,op,status,set.id.crm.contactId\n1,void,,\n2,destroy,,\n3,,voided,C-9\n4,,gone,\n"
    _, rows = await checked(text, feed="mixed")
    assert [row["op"] for row in rows] == ["void", "update", "update", "update"]
    assert [row["codes"] for row in rows] == [[], ["C02"], [], ["V06"]]
    assert rows[2]["extra"] == {"status": "voided", "set_ids": {"crm.contactId": "C-9"}}


async def test_identifiers_that_a_spreadsheet_rewrote_are_never_taken(checked):
    _, rows = await checked("id.memberId,additionalData.points\n4.00638E+12,1\n0042,1\n")
    assert [row["codes"] for row in rows] == [["V08"], []]


async def test_a_personal_value_is_masked(checked):
    _, [row] = await checked("id.memberId,additionalData.name\n1,canary canary canary canary\n")
    assert row["codes"] == ["V04"]
    assert "canary" not in row["issues"]


async def test_the_chunk_size_never_changes_the_result(checked):
    text = "id.memberId,additionalData.points\n" + "".join(f"{i},{'x' if i % 5 == 0 else i}\n" for i in range(23))
    _, small = await checked(text, chunk_records=3)
    _, large = await checked(text, chunk_records=100)
    assert small == large


async def test_a_null_token_names_no_pass_and_never_repeats_a_value(checked):
    text = "id.memberId,id.email,additionalData.coupon\nNULL,a@b.example,NULL\n2,,NULL\nNULL,,X\n"
    _, rows = await checked(text)
    assert [row["codes"] for row in rows] == [[], [], ["K01"]]
    assert (rows[0]["key_type"], rows[0]["key"]) == ("id.email", "a@b.example")


async def test_a_record_without_identifier_is_rejected_whatever_else_it_says(checked):
    _, rows = await checked("id.memberId,additionalData.points\n,x\n")
    assert rows[0]["codes"] == ["V01", "K01"]


async def test_a_moment_at_the_edge_of_the_calendar_is_an_issue_and_no_error(checked):
    text = "id.memberId,notification.message,notification.not_before\n1,Hi,0001-01-01T00:00:00+05:00\n"
    _, rows = await checked(text, feed="campaign")
    assert rows[0]["codes"] == ["V01"]


async def test_an_opt_in_whose_moment_cannot_be_read_is_none_and_an_opt_out_stands(checked):
    text = "id.memberId,notification.message,consent.marketing,consent.marketing.at\n1,Hi,yes,soon\n2,Hi,no,soon\n"
    _, rows = await checked(text, feed="campaign")
    assert [row["codes"] for row in rows] == [["V01"], ["V01"]]
    assert "consents" not in rows[0]["extra"]
    assert rows[1]["extra"]["consents"] == [{"purpose": "marketing", "granted": False}]


async def test_an_identifier_longer_than_any_index_takes_is_refused(checked):
    _, rows = await checked(f"id.memberId,additionalData.points\n{'9' * 401},1\n")
    assert rows[0]["codes"] == ["V04"]


@pytest.mark.parametrize(("cell", "codes"), [("NULL", ["V02"]), ('""', ["V02"]), ("", []), ("Anna", [])])
async def test_a_required_value_is_never_removed_nor_emptied(sqlite_store, spool, clock, cell, codes):
    feed = Feed(name="members", quoted_empty_sets=True, null_tokens=("NULL",))
    name = field("additionalData.name", constraints=Constraints(required=True))
    project = loyalty(feed, model=DataModel(fields=(name,), identifiers=(IdentifierKind(name="memberId"),)))
    means, job = kit(sqlite_store, spool, clock=clock), drop()
    spool.put(job.blob, f"id.memberId,additionalData.name\n1,{cell}\n".encode())
    found = await validate(job, await read(job, project, feed, kit=means), project, feed, kit=means)
    [row] = read_table(spool.work(job.id) / found.slices[0].file).to_pylist()
    assert [entry["code"] for entry in orjson.loads(row["issues"] or "[]")] == codes

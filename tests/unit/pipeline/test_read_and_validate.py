import orjson
import pytest

from flatfile_sync.files.columns import read_table
from flatfile_sync.pipeline.read import read
from flatfile_sync.pipeline.validate import validate
from tests.builders import drop, kit, loyalty


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

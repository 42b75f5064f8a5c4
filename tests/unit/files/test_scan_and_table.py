import orjson
import pytest

from flatfile_sync.files.columns import read_table
from flatfile_sync.files.scan import scan
from flatfile_sync.files.table import NULL_MARK, PLACE, write_slice


@pytest.fixture
def file(tmp_path):
    def write(data: bytes):
        path = tmp_path / "drop.csv"
        path.write_bytes(data)
        return path

    return write


def codes(found):
    return [entry.code for entry in found.issues]


def text_chunks(path, found, *, null_tokens=(), refused=False):
    for cut in found.cuts:
        target = path.with_name(f"text-{cut.no}.arrow")
        write_slice(
            path,
            target,
            cut,
            header=found.header,
            dialect=found.dialect,
            null_tokens=null_tokens,
            refused=refused,
        )
        yield read_table(target)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ["F01"]),
        (b"id,x\n", ["F02"]),
        (b"id,x\n1,2", ["F04"]),
        (b'id,x\n1,"cut', ["F03"]),
        (b"id,x\n1,\xff\n", ["D01"]),
        (b"id,x;y\n1,2;3\n", ["D02"]),
        (b"id,x\r1,2\r", ["D07"]),
        (b"id,x\n1,2\n3,4\n5,6\n7,8\n", ["F05"]),
        (b"id;x\r\n1;2\r\n", []),
        (b"\xef\xbb\xbfid\tx\n1\t2\n", []),
        (b"id\n1\n", []),
        (b"\n", ["F01"]),
        (b"\xef\xbb\xbf\r\n\r\n", ["F01"]),
        (b"id,caf\xc3", ["D01"]),
        (b"id," + b"x" * 140_000 + b"\n1,2\n", ["D06"]),
        (b"id," + b"\xc3\xa9" * (1 << 20) + b"\n1,2\n", ["D06"]),
    ],
)
def test_a_file_is_judged_as_a_whole(file, data, expected):
    assert codes(scan(file(data), chunk_records=10, max_records=3)) == expected


def test_a_byte_that_is_not_utf8_is_named_with_offset_and_line(file):
    found = scan(file(b"id,x\n1,a\n2,\xe9t\xe9\n"), chunk_records=10, max_records=99)
    assert "Byte 11 of the file, on line 3" in found.issues[0].message


def test_empty_quoted_empty_and_null_token_stay_apart(file):
    path = file(b'id,x\n1,\n2,""\n3,NULL\n4,"NULL"\n5,v\n')
    found = scan(path, chunk_records=10, max_records=99)
    [table] = text_chunks(path, found, null_tokens=("NULL",))
    assert table["x"].to_pylist() == [None, "", "NULL", "NULL", "v"]
    assert table["x" + NULL_MARK].to_pylist() == [False, False, True, False, False]


def test_flawed_records_keep_their_place_and_say_why(file):
    path = file(b'id,x\n1,a\n2\n\n3,b"c\n4,"two\nlines"\n5,e,f\n6,\x00\n7,g\n')
    found = scan(path, chunk_records=3, max_records=99)
    tables = list(text_chunks(path, found))
    rows = [row for table in tables for row in table.to_pylist()]
    assert [row[PLACE + "record"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [(row[PLACE + "line"], row[PLACE + "line_end"]) for row in rows] == [
        (2, 2),
        (3, 3),
        (5, 5),
        (6, 7),
        (8, 8),
        (9, 9),
        (10, 10),
    ]
    flaws = [orjson.loads(row[PLACE + "flaw"])[0]["code"] if row[PLACE + "flaw"] else None for row in rows]
    assert flaws == [None, "D03", "D04", None, "D03", "D05", None]
    assert [row["x"] for row in rows] == ["a", None, None, "two\nlines", None, None, "g"]
    data = path.read_bytes()
    assert data[rows[3][PLACE + "offset"] :][: rows[3][PLACE + "length"]] == b'4,"two\nlines"\n'


def test_a_refused_file_still_gives_every_record_its_place(file):
    path = file(b'id,x\n1,2\n3,"cut\noff')
    found = scan(path, chunk_records=10, max_records=99)
    places = [row for table in text_chunks(path, found, refused=True) for row in table.to_pylist()]
    assert [(row[PLACE + "record"], row[PLACE + "line"], row[PLACE + "line_end"]) for row in places] == [
        (1, 2, 2),
        (2, 3, 4),
    ]


def test_columns_that_share_a_name_are_still_read(file):
    path = file(b"id,x,x\n1,2,3\n")
    found = scan(path, chunk_records=10, max_records=99)
    assert found.header == ("id", "x", "x")
    assert list(text_chunks(path, found))


def test_a_header_may_hold_the_names_of_our_own_reports(file):
    path = file(b"id,_record,_line,x\n1,99,98,v\n")
    found = scan(path, chunk_records=10, max_records=99)
    [row] = [row for table in text_chunks(path, found) for row in table.to_pylist()]
    assert (row[PLACE + "record"], row[PLACE + "line"], row["_record"], row["x"]) == (1, 2, "99", "v")


def test_a_byte_order_mark_in_a_cell_is_text_wherever_its_chunk_begins(file):
    path = file("id,x\n1,a\n\ufeff2,b\n".encode())
    found = scan(path, chunk_records=1, max_records=99)
    rows = [row for table in text_chunks(path, found) for row in table.to_pylist()]
    assert [row["id"] for row in rows] == ["1", "\ufeff2"]


@pytest.mark.parametrize("chunk_records", [1, 2, 3, 4])
def test_a_stray_quote_is_given_up_alike_wherever_a_chunk_ends(file, chunk_records):
    path = file(b'id,x\n1,"a\n2,b\n3,"c"d\n4,e\n')
    found = scan(path, chunk_records=chunk_records, max_records=99)
    rows = [row for table in text_chunks(path, found) for row in table.to_pylist()]
    assert [(row[PLACE + "line"], row["id"]) for row in rows] == [(2, None), (3, "2"), (4, None), (5, "4")]

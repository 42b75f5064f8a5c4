"""No file confuses the reader: every line has its place, every record its verdict, every cell its value."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flatfile_sync.domain.columns import Column, Role
from flatfile_sync.domain.issues import Severity
from flatfile_sync.files.columns import read_table
from flatfile_sync.files.dialect import Dialect
from flatfile_sync.files.scan import scan
from flatfile_sync.files.table import write_slice
from flatfile_sync.pipeline.checking import check_chunk, place_chunk
from flatfile_sync.pipeline.header import check_header
from tests.builders import loyalty

PROJECT = loyalty()
FEED = PROJECT.feed("members")
HEADER = "id.memberId,additionalData.name,metadata.source\n"


def checked(data, *, chunk_records=3):
    """Read and check a file as the steps do; return what the scan found and the records in order."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "drop.csv"
        source.write_bytes(data)
        found = scan(source, chunk_records=chunk_records, max_records=10**6)
        columns = tuple(Column(name, Role.UNKNOWN) for name in found.header)
        issues = list(found.issues)
        torn = any(problem.severity is Severity.ERROR for problem in issues) or len(set(found.header)) != len(columns)
        if columns:
            columns, more = check_header(found.header, PROJECT, FEED)
            issues += more
        refused = any(problem.severity is Severity.ERROR for problem in issues)
        rows = []
        for cut in found.cuts:
            text, target = Path(folder) / "text.arrow", Path(folder) / "checked.arrow"
            dialect = found.dialect or Dialect(delimiter=",", bom=False, line_end="\n")
            tokens = FEED.null_tokens
            write_slice(source, text, cut, header=found.header, dialect=dialect, null_tokens=tokens, refused=torn)
            if refused:
                place_chunk(text, target, operation=FEED.operation)
            else:
                check_chunk(text, target, columns=columns, project=PROJECT, feed=FEED)
            rows += read_table(target).to_pylist()
        return found, issues, rows


pieces = st.sampled_from(
    [b"1", b"x", b",", b",", b";", b'"', b'""', b"\n", b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"\xc3", b" ", b"NULL"]
    + [text.encode() for text in ("é", "\ufeff", "\u2028", "id.memberId", "metadata.source", HEADER)]
)
files = st.builds(
    bytes.__add__, st.sampled_from([b"", HEADER.encode(), b"\xef\xbb\xbf", b"\n"]), st.binary(max_size=80)
)
damaged = st.builds(
    lambda head, body: head + b"".join(body), st.sampled_from([b"", HEADER.encode()]), st.lists(pieces, max_size=30)
)


@settings(max_examples=300)
@given(files | damaged, st.integers(1, 4))
@example(b"\n", 1)
@example(b"\xef\xbb\xbf", 1)
@example(HEADER.encode() + b'1,"', 1)
def test_any_bytes_are_read_and_every_line_has_its_record(data, chunk_records):
    found, issues, rows = checked(data, chunk_records=chunk_records)
    assert [row["record"] for row in rows] == list(range(1, found.records + 1))
    covered, left = len(found.header_bytes), b""
    for row in rows:
        assert row["offset"] >= covered
        left += data[covered : row["offset"]]
        covered = row["offset"] + row["length"]
        # Its first line is the one on which its first byte stands.
        assert row["line"] == 1 + data[: row["offset"]].count(b"\n")
        assert row["line"] <= row["line_end"]
    left += data[covered:]
    assert left.strip(b"\r\n") == b"", "only blank lines are nobody's"
    assert issues or rows
    for row in rows:
        told = orjson.loads(row["issues"] or "[]")
        assert row["failed"] == any(problem["severity"] == "error" for problem in told)


@settings(max_examples=100)
@given(files | damaged)
@example(HEADER.encode() + b'"1,a,b\n2,a,b\n"1')
@example(HEADER.encode() + b'1,"a,b\n2,a,b\n3,"x"y,b\n4,a,b\n')
def test_the_chunk_size_never_changes_what_is_read(data):
    assert checked(data, chunk_records=1)[1:] == checked(data, chunk_records=1000)[1:]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
tables = st.lists(st.tuples(texts, texts), min_size=1, max_size=9)


@settings(max_examples=100)
@given(
    tables,
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.booleans(),
)
def test_any_table_of_text_survives_writing_and_reading(table, delimiter, line_end, quoting, bom):
    if quoting == csv.QUOTE_MINIMAL:
        # This writer leaves a lone CR unquoted, and that ends no line of ours (D08).
        table = [tuple(cell.replace("\r", "") for cell in cells) for cells in table]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerow(("id.memberId", "metadata.source", "additionalData.tier"))
    writer.writerows((place, *cells) for place, cells in enumerate(table))
    data = ("\ufeff" * bom + out.getvalue()).encode()
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "drop.csv", Path(folder) / "text.arrow"
        source.write_bytes(data)
        found = scan(source, chunk_records=4, max_records=100)
        assert found.issues == ()
        assert found.dialect == Dialect(delimiter=delimiter, bom=bom, line_end=line_end)
        rows = []
        for cut in found.cuts:
            more = {"header": found.header, "dialect": found.dialect, "null_tokens": (), "refused": False}
            write_slice(source, target, cut, **more)
            rows += read_table(target).to_pylist()
    empty = "" if quoting == csv.QUOTE_ALL else None
    assert [(row["id.memberId"], row["metadata.source"], row["additionalData.tier"]) for row in rows] == [
        (str(place), first or empty, second or empty) for place, (first, second) in enumerate(table)
    ]

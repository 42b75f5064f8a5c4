import csv
import io
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from flatfile_sync.files import index as record_index
from flatfile_sync.files.index import STRAY_QUOTE, Index, index_records

cells = st.text(st.sampled_from('ab ,;"\n\u2028é'), max_size=6)
tables = st.lists(st.lists(cells, min_size=2, max_size=4), min_size=1, max_size=8)


def written(table, *, delimiter, line_end, quoting):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(table)
    return out.getvalue().encode()


def spans(found: Index) -> list[tuple[int, int]]:
    return [(int(o), int(o + n)) for o, n in zip(found.offsets, found.lengths, strict=True)]


@given(
    tables,
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
@settings(max_examples=200, deadline=None)
def test_each_written_row_is_one_record_with_its_values(table, delimiter, line_end, quoting):
    data = written(table, delimiter=delimiter, line_end=line_end, quoting=quoting)
    found = index_records(data, delimiter=delimiter, line=2, final=True)
    assert found.counts.tolist() == [len(row) for row in table]
    assert not found.flaws.any()
    assert b"".join(data[a:b] for a, b in spans(found)) == data
    breaks = [sum(cell.count("\n") for cell in row) for row in table]
    assert (found.line_ends - found.lines).tolist() == breaks


@given(st.binary(max_size=200), st.sampled_from(",;\t"))
@settings(max_examples=300, deadline=None)
def test_no_bytes_confuse_the_index_and_none_are_covered_twice(data, delimiter):
    found = index_records(data, delimiter=delimiter, line=1, final=True)
    edges = [(0, 0), *spans(found), (len(data), len(data))]
    assert all(before[1] <= after[0] for before, after in pairwise(edges))
    uncovered = b"".join(data[before[1] : after[0]] for before, after in pairwise(edges))
    open_tail = data[found.consumed :] if found.open_line else b""
    assert uncovered.removesuffix(open_tail).strip(b"\r\n") == b""


@given(st.text(st.sampled_from('a,"\n'), max_size=60), st.integers(1, 30))
@settings(max_examples=300, deadline=None)
def test_reading_in_buffers_finds_the_same_records_as_reading_at_once(text, size):
    data = text.encode()
    whole = index_records(data, delimiter=",", line=1, final=True)
    found, start, end, line = [], 0, 0, 1
    while end < len(data):
        end = min(len(data), end + size)
        part = index_records(data[start:end], delimiter=",", line=line, final=end == len(data))
        found += [(a + start, b + start) for a, b in spans(part)]
        start, line = start + part.consumed, part.next_line
    assert found == spans(whole)


def test_a_stray_quote_costs_its_own_line_only():
    data = b'1,two\n2,5" pipe\n3,"ok"\n4,"bad"tail\n5,fine\n'
    found = index_records(data, delimiter=",", line=2, final=True)
    assert found.lines.tolist() == [2, 3, 4, 5, 6]
    assert (found.flaws & STRAY_QUOTE != 0).tolist() == [False, True, False, True, False]


def test_a_quote_that_never_closes_is_given_up_once_its_record_is_too_long(monkeypatch):
    monkeypatch.setattr(record_index, "MAX_RECORD", 100)
    data = b'1,"open\n' + b"2,sound\n" * 40
    found = index_records(data, delimiter=",", line=2, final=True)
    assert len(found.offsets) == 41
    assert found.flaws[0] == STRAY_QUOTE
    assert not found.flaws[1:].any()


def test_a_file_cut_off_inside_quotes_names_the_line():
    found = index_records(b'1,a\n2,"cut o', delimiter=",", line=2, final=True)
    assert (found.lines.tolist(), found.open_line) == ([2], 3)

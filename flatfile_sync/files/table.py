"""Slices of a file as columns of text, with the place of every record beside them.

A cell is null when it was empty and unquoted; a quoted empty cell is the empty text. Null tokens count only unquoted.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.files.columns import write_table
from flatfile_sync.files.dialect import Dialect
from flatfile_sync.files.index import LONE_CR, MAX_CELL, NUL_BYTE, STRAY_QUOTE, TOO_LONG, Index, Ints, index_records

# A header's names are trimmed, so no column of a file can bear one of these names.
PLACE: Final = " "
"""Prefix of the columns that say where a record lies."""
NULL_MARK: Final = " null "
"""Suffix of the column that says where a cell is an unquoted null token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A run of records as bytes of the file: `offset` and `length` in bytes, the first record and its line."""

    no: int
    offset: int
    length: int
    first: int
    records: int
    line: int


def write_slice(
    source: Path,
    target: Path,
    cut: Cut,
    *,
    header: Sequence[str],
    dialect: Dialect,
    null_tokens: Sequence[str],
    refused: bool,
) -> None:
    """Write the text chunk of a cut; of a refused file only the places of its records."""
    with source.open("rb") as handle:
        handle.seek(cut.offset)
        data = handle.read(cut.length)
    # One record alone may be the one that the end of the file cut off: it stays whole, whatever it holds.
    closed = cut.records > 1
    index = index_records(data, delimiter=dialect.delimiter, line=cut.line, final=True, closed=closed)
    if index.open_line:
        index = _with_open_record(index, data)
    sound = (index.flaws == 0) & (index.counts == len(header))
    columns: dict[str, pa.Array] = {
        PLACE + "record": pa.array(np.arange(cut.first, cut.first + cut.records), pa.int32()),
        PLACE + "line": pa.array(index.lines, pa.int32()),
        PLACE + "line_end": pa.array(index.line_ends, pa.int32()),
        PLACE + "offset": pa.array(index.offsets + cut.offset, pa.int64()),
        PLACE + "length": pa.array(index.lengths, pa.int32()),
        PLACE + "flaw": pa.array(
            [None] * cut.records if refused else _flaws(index, sound, len(header), cut.first), pa.string()
        ),
    }
    if not refused:
        columns |= _cells(data, index, sound, header=header, dialect=dialect, null_tokens=null_tokens)
    write_table(target, pa.table(columns))


def _with_open_record(index: Index, data: bytes) -> Index:
    """Return the index with the cut-off record at the end of the file, so that it has a place too."""
    rest = data[index.consumed :]
    last_line = index.open_line + rest.rstrip(b"\r\n").count(b"\n")
    return replace(
        index,
        offsets=np.append(index.offsets, index.consumed),
        lengths=np.append(index.lengths, len(rest)),
        lines=np.append(index.lines, index.open_line),
        line_ends=np.append(index.line_ends, last_line),
        counts=np.append(index.counts, 0),
        flaws=np.append(index.flaws, STRAY_QUOTE),
    )


def _cells(
    data: bytes, index: Index, sound: np.ndarray, *, header: Sequence[str], dialect: Dialect, null_tokens: Sequence[str]
) -> dict[str, pa.Array]:
    """Return one text column per header column; flawed records have null cells."""
    names = [f"{place}" for place in range(len(header))]
    rows = np.flatnonzero(sound)
    if len(rows) == len(sound) and index.lengths.sum() == len(data):
        text = data
    else:
        text = b"".join(data[o : o + n] for o, n in zip(index.offsets[rows], index.lengths[rows], strict=True))
    if text.startswith(codecs.BOM_UTF8):
        text = codecs.BOM_UTF8 + text  # Arrow takes one for the file's own, and here it belongs to a cell
    if not len(rows):
        return {name: pa.nulls(len(sound), pa.string()) for name in header}
    table = pa_csv.read_csv(
        pa.BufferReader(text),
        read_options=pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(text) + 1),
        parse_options=pa_csv.ParseOptions(
            delimiter=dialect.delimiter, newlines_in_values=True, ignore_empty_lines=False, double_quote=True
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    if table.num_rows != len(rows):
        raise AssertionError(f"index and reader disagree: {len(rows)} records, {table.num_rows} rows")
    spread: Ints | None = None
    if len(rows) != len(sound):
        spread = np.full(len(sound), -1)
        spread[rows] = np.arange(len(rows))
    result: dict[str, pa.Array] = {}
    for name, place in zip(header, names, strict=True):
        column = table[place].combine_chunks()
        if spread is not None:
            column = column.take(pa.array(spread, mask=spread < 0))
        result[name] = column
        mark = _null_tokens(data, index, column, place=int(place), dialect=dialect, tokens=null_tokens)
        if mark is not None:
            result[name + NULL_MARK] = pa.array(mark)
    return result


def _null_tokens(
    data: bytes, index: Index, column: pa.Array, *, place: int, dialect: Dialect, tokens: Sequence[str]
) -> np.ndarray | None:
    """Return where a cell is a null token that was not quoted, or None if nowhere."""
    if not tokens:
        return None
    equal = pc.fill_null(pc.is_in(column, value_set=pa.array(list(tokens), pa.string())), False)
    mark = np.asarray(equal.to_numpy(zero_copy_only=False), dtype=bool)
    for row in np.flatnonzero(mark):
        # Rare, so a look at the raw bytes of the record is cheap: was this very cell quoted?
        raw = data[index.offsets[row] : index.offsets[row] + index.lengths[row]]
        mark[row] = not _raw_cell(raw, place, ord(dialect.delimiter)).startswith(b'"')
    return mark if mark.any() else None


def _raw_cell(raw: bytes, place: int, delimiter: int) -> bytes:
    start, inside, seen = 0, False, 0
    for position, byte in enumerate(raw):
        if byte == ord('"'):
            inside = not inside
        elif byte == delimiter and not inside:
            if seen == place:
                return raw[start:position]
            seen, start = seen + 1, position + 1
    return raw[start:]


def _flaws(index: Index, sound: np.ndarray, expected: int, first: int) -> list[str | None]:
    result: list[str | None] = [None] * len(sound)
    for row in np.flatnonzero(~sound):
        result[row] = as_json([_flaw(index, int(row), first + int(row), expected)])
    return result


def _flaw(index: Index, row: int, record: int, expected: int) -> Issue:
    flaws = int(index.flaws[row])
    if flaws & STRAY_QUOTE:
        return issue("D04", record=record)
    if flaws & NUL_BYTE:
        return issue("D05", record=record)
    if flaws & LONE_CR:
        return issue("D08", record=record)
    if flaws & TOO_LONG:
        return issue("D06", record=record, found=int(index.lengths[row]), limit=MAX_CELL)
    return issue("D03", record=record, found=int(index.counts[row]), expected=expected)


def as_json(issues: Sequence[Issue]) -> str:
    """Return issues of one record as they travel with it: a JSON list."""
    return orjson.dumps(
        [
            {
                "code": entry.code,
                "severity": entry.severity,
                "column": entry.column,
                "value": entry.value,
                "message": entry.message,
                "hint": entry.hint,
            }
            for entry in issues
        ]
    ).decode()

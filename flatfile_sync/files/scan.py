"""One pass over a file: its dialect, its header, what is wrong with it as a whole, and where to cut it."""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, get_args

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.files.dialect import Dialect
from flatfile_sync.files.index import Index, index_records
from flatfile_sync.files.table import Cut

_BLOCK: Final = 8 << 20
_MAX_HEADER: Final = 1 << 20
_BOM: Final = codecs.BOM_UTF8
Delimiter = Literal[",", ";", "\t"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one pass found. `header` are the trimmed names; `header_bytes` include a BOM and the line end."""

    header: tuple[str, ...]
    header_bytes: bytes
    dialect: Dialect | None
    records: int
    cuts: tuple[Cut, ...]
    issues: tuple[Issue, ...]


def scan(path: Path, *, chunk_records: int, max_records: int) -> Scan:
    """Return what a file is made of; memory does not grow with its size."""
    with path.open("rb") as handle:
        first = _first_line(handle)
        if _says_nothing(first):
            return Scan(header=(), header_bytes=first, dialect=None, records=0, cuts=(), issues=(issue("F01"),))
        dialect, header, problems = _header(first)
        readable = dialect or Dialect(delimiter=",", bom=first.startswith(_BOM), line_end="\n")
        text = codecs.getincrementaldecoder("utf-8")()
        bad = _undecodable(text, first, 0, 1)
        width = len(header) if dialect else 0
        cuts, problem_at_end = _cut(handle, first, readable, size=chunk_records, width=width, text=text, bad=bad)
    issues = [*problems, *problem_at_end]
    records = sum(cut.records for cut in cuts)
    if records > max_records:
        issues.append(issue("F05", found=records, limit=max_records))
    if not records and not issues:
        issues.append(issue("F02"))
    return Scan(
        header=header,
        header_bytes=first,
        dialect=dialect,
        records=records,
        cuts=tuple(cuts),
        issues=tuple(issues),
    )


def _first_line(handle: BinaryIO) -> bytes:
    """Return the bytes up to the end of the first line that is not blank; all of a file that has none."""
    first = line = handle.readline(_MAX_HEADER)
    while line and _says_nothing(first):
        line = handle.readline(_MAX_HEADER)
        first += line
    return first


def _says_nothing(first: bytes) -> bool:
    return not first.removeprefix(_BOM).strip(b"\r\n")


def _header(first: bytes) -> tuple[Dialect | None, tuple[str, ...], list[Issue]]:
    """Return dialect and names; the delimiter is the only one of the three that stands outside quotes."""
    if b"\r" in first.replace(b"\r\n", b""):
        return None, (), [issue("D07")]
    if len(first) >= _MAX_HEADER and not first.endswith(b"\n"):
        return None, (), [issue("D06", found=len(first), limit=_MAX_HEADER - 1)]
    try:
        line = first.removeprefix(_BOM).decode().strip("\r\n")
    except UnicodeDecodeError:
        return None, (), []  # D01 is reported with its place by the pass over the bytes
    outside = "".join(line.split('"')[0::2])
    fits: list[Delimiter] = [mark for mark in get_args(Delimiter) if mark in outside]
    if len(fits) > 1 or line.count('"') % 2:
        shown = " and ".join({",": "commas", ";": "semicolons", "\t": "tabs"}[mark] for mark in fits)
        reason = f"{shown} stand outside quotes" if len(fits) > 1 else "a quote is never closed"
        return None, (), [issue("D02", reason=reason)]
    dialect = Dialect(
        delimiter=fits[0] if fits else ",",
        bom=first.startswith(_BOM),
        line_end="\r\n" if first.endswith(b"\r\n") else "\n",
    )
    try:
        names = next(csv.reader([line], delimiter=dialect.delimiter), [])
    except csv.Error:  # a name longer than the module takes
        return None, (), [issue("D06", found=len(first), limit=csv.field_size_limit())]
    return dialect, tuple(name.strip() for name in names), []


def _cut(
    handle: BinaryIO,
    first: bytes,
    dialect: Dialect,
    *,
    size: int,
    width: int,
    text: codecs.IncrementalDecoder,
    bad: Issue | None,
) -> tuple[list[Cut], list[Issue]]:
    cuts: list[Cut] = []
    issues: list[Issue] = []
    offset, line, record = len(first), 1 + first.count(b"\n"), 1
    rest, ended = b"", first.endswith(b"\n")
    last_line, lacks_values = 0, False
    for block, last in _blocks(handle):
        if bad is None:
            bad = _undecodable(text, block, offset + len(rest), line + rest.count(b"\n"), last=last)
        data = rest + block
        ended = data.endswith(b"\n") if data else ended
        index = index_records(data, delimiter=dialect.delimiter, line=line, final=last)
        for cut in _cuts(index, offset, record, size, len(cuts)):
            cuts.append(cut)
            record += cut.records
        if len(index.counts):
            last_line = int(index.lines[-1])
            lacks_values = not index.flaws[-1] and int(index.counts[-1]) < width
        if index.open_line:
            issues.append(issue("F03", line=index.open_line))
        offset, line, rest = offset + index.consumed, index.next_line, data[index.consumed :]
    if rest:
        # The record that was cut off counts, so that it gets its result.
        cuts.append(Cut(no=len(cuts), offset=offset, length=len(rest), first=record, records=1, line=line))
    elif cuts and not ended and bad is None:
        issues.append(issue("F03" if lacks_values else "F04", line=last_line))
    if bad is None:
        # A header without line end may end inside a character, and no block follows that would show it.
        bad = _undecodable(text, b"", offset, line, last=True)
    if bad is not None:
        issues.append(bad)
    return cuts, issues


def _blocks(handle: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield the rest of a file in blocks, each with whether it is the last."""
    block = handle.read(_BLOCK)
    while block:
        following = handle.read(_BLOCK)
        yield block, not following
        block = following


def _cuts(index: Index, offset: int, record: int, size: int, no: int) -> Iterator[Cut]:
    count = len(index.offsets)
    for start in range(0, count, size):
        stop = min(count, start + size)
        begin = int(index.offsets[start])
        end = int(index.offsets[stop - 1] + index.lengths[stop - 1])
        yield Cut(
            no=no + start // size,
            offset=offset + begin,
            length=end - begin,
            first=record + start,
            records=stop - start,
            line=int(index.lines[start]),
        )


def _undecodable(
    text: codecs.IncrementalDecoder, block: bytes, offset: int, line: int, *, last: bool = False
) -> Issue | None:
    """Return D01 with the place of the first byte that is not UTF-8, or None."""
    pending = len(text.getstate()[0])
    try:
        text.decode(block, final=last)
    except UnicodeDecodeError as error:
        place = error.start - pending
        found = f"0x{error.object[error.start]:02x}"
        at_line = line + block[: max(place, 0)].count(b"\n")
        return issue("D01", offset=offset + place, line=at_line, found=found)
    return None

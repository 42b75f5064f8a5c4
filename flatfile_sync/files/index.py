"""The record index: where each record of a buffer begins and ends, by vectors over its bytes.

RFC 4180 with quotes doubled inside quotes. A quote where none may stand marks its record as flawed; the index goes on
with the next physical line, so that one bad quote never swallows the rest of the file.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_LF, _CR, _QUOTE, _NUL = 10, 13, 34, 0
MAX_CELL: Final = 1 << 20
MAX_RECORD: Final = 4 << 20
_WINDOW: Final = 1 << 16

STRAY_QUOTE: Final = 1
NUL_BYTE: Final = 2
TOO_LONG: Final = 4
LONE_CR: Final = 8

Ints = npt.NDArray[np.int64]
Columns = tuple[Ints, Ints, Ints, Ints, Ints, Ints]
"""Offset, length, first line, last line, number of values, flaws."""


@dataclass(frozen=True, slots=True)
class Index:
    """One entry per record, blank lines left out.

    `offsets` and `lengths` in bytes (lengths with the line end), `lines` and `line_ends` physical lines, `counts` the
    number of values, `flaws` bits. `consumed` bytes and `next_line` say where the next buffer goes on; `open_line` is
    the line of a last record that ends inside quotes, else 0.
    """

    offsets: Ints
    lengths: Ints
    lines: Ints
    line_ends: Ints
    counts: Ints
    flaws: Ints
    consumed: int
    next_line: int
    open_line: int


def index_records(buffer: bytes, *, delimiter: str, line: int, final: bool, closed: bool = False) -> Index:
    """Return the index of a buffer that begins at a record; without `final` a last partial record is left over.

    `closed` says that the buffer is a run of whole records out of a file that was indexed before. A quote that is
    still open at its end was found to be stray by what follows it in the file, so its line is given up here too.
    """
    data = np.frombuffer(buffer, dtype=np.uint8)
    parts: list[Columns] = []
    start, window = 0, len(data)
    while start < len(data):
        end = min(len(data), start + window)
        piece, used, stray = _run(data[start:end], ord(delimiter), last=final and end == len(data))
        parts.append((piece[0] + start, piece[1], piece[2] + line, piece[3] + line, piece[4], piece[5]))
        line += int(np.count_nonzero(data[start : start + used] == _LF))
        start += used
        if stray or (not used and end - start > MAX_RECORD):
            if not final and len(data) - start <= MAX_RECORD and _LF not in data[start:]:
                break  # the line goes on in the next buffer
            # Small windows from here: a hostile file may hold a stray quote on every line.
            start, line = _give_up_line(data, start, line, parts)
            window = _WINDOW
        elif end < len(data) or (used and len(data) - start > MAX_RECORD):
            window *= 2
        elif closed and start < len(data):
            start, line = _give_up_line(data, start, line, parts)
        else:
            break
    columns = [np.concatenate([part[i] for part in parts]) if parts else _EMPTY for i in range(len(_NOTHING))]
    return Index(
        offsets=columns[0],
        lengths=columns[1],
        lines=columns[2],
        line_ends=columns[3],
        counts=columns[4],
        flaws=columns[5],
        consumed=start,
        next_line=line,
        open_line=line if final and start < len(data) else 0,
    )


_EMPTY: Final[Ints] = np.array([], dtype=np.int64)
_NOTHING: Final[Columns] = (_EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY)


def _run(data: npt.NDArray[np.uint8], delimiter: int, *, last: bool) -> tuple[Columns, int, bool]:
    """Return (offset, length, line, line end, count, flaws) up to a stray quote or the last whole record."""
    ends = np.flatnonzero(data == _LF)
    quotes = np.flatnonzero(data == _QUOTE)
    limit, flawed = len(data), False
    if len(quotes):
        stray = _first_stray(data, quotes, delimiter)
        if stray is not None:
            limit, flawed = stray, True
        ends_all, ends = ends, ends[np.searchsorted(quotes, ends) % 2 == 0]
    else:
        ends_all = ends
    ends = ends[ends < limit]
    whole = ends + 1
    inside = bool(len(quotes) % 2)
    if last and not flawed and not inside and (not len(whole) or whole[-1] < len(data)):
        whole = np.append(whole, len(data))
    if not len(whole):
        return _NOTHING, 0, flawed
    starts = np.concatenate(([0], whole[:-1]))
    lines = np.searchsorted(ends_all, starts)
    line_ends = np.maximum(np.searchsorted(ends_all, whole - 1), lines)
    separators = np.flatnonzero(data == delimiter)
    if len(quotes):
        separators = separators[np.searchsorted(quotes, separators) % 2 == 0]
    counts = np.searchsorted(separators, whole) - np.searchsorted(separators, starts) + 1
    lengths = whole - starts
    flaws = np.where(lengths > MAX_CELL, TOO_LONG, 0)
    flaws |= _holding(np.flatnonzero(data == _NUL), starts, whole, NUL_BYTE)
    returns = np.flatnonzero(data == _CR)
    if len(returns):
        lone = returns[(returns + 1 >= len(data)) | (data[np.minimum(returns + 1, len(data) - 1)] != _LF)]
        if len(quotes):
            lone = lone[np.searchsorted(quotes, lone) % 2 == 0]
        flaws |= _holding(lone, starts, whole, LONE_CR)
    first = data[starts]
    second = data[np.minimum(starts + 1, len(data) - 1)]
    blank = ((lengths == 1) & (first == _LF)) | ((lengths == 2) & (first == _CR) & (second == _LF))  # noqa: PLR2004
    kept = ~blank
    columns = (starts[kept], lengths[kept], lines[kept], line_ends[kept], counts[kept], flaws[kept])
    return columns, int(whole[-1]), flawed


def _first_stray(data: npt.NDArray[np.uint8], quotes: Ints, delimiter: int) -> int | None:
    """Return the position of the first quote that breaks RFC 4180 (section 2, rules 5 to 7), or None."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    fits = (opening == 0) | (before == delimiter) | (before == _LF) | (before == _QUOTE)
    # A quote before an opening one must be the closing half of a doubled quote, which parity guarantees.
    wrong = opening[~fits]
    after_at = closing + 1
    after = data[np.minimum(after_at, len(data) - 1)]
    at_end = after_at >= len(data)
    fits = at_end | (after == delimiter) | (after == _LF) | (after == _CR) | (after == _QUOTE)
    wrong_after = closing[~fits]
    found = [int(positions[0]) for positions in (wrong, wrong_after) if len(positions)]
    return min(found) if found else None


def _holding(positions: Ints, starts: Ints, ends: Ints, bit: int) -> Ints:
    """Return `bit` for each record that holds one of the positions."""
    if not len(positions):
        return np.zeros(len(starts), dtype=np.int64)
    inside = np.searchsorted(positions, ends) > np.searchsorted(positions, starts)
    return np.where(inside, bit, 0)


def _give_up_line(data: npt.NDArray[np.uint8], start: int, line: int, parts: list[Columns]) -> tuple[int, int]:
    """Give up one physical line as a flawed record and return where the next one begins."""
    end = start
    while end < len(data):
        hits = np.flatnonzero(data[end : end + _WINDOW] == _LF)
        if len(hits):
            end += int(hits[0]) + 1
            break
        end = min(len(data), end + _WINDOW)
    one = [np.array([value]) for value in (start, end - start, line, line, 0, STRAY_QUOTE)]
    parts.append((one[0], one[1], one[2], one[3], one[4], one[5]))
    return end, line + 1

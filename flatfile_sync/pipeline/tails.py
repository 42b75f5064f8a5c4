"""Passes that a drop names more than once: their records go, in order, into tail chunks of their own.

So all other chunks are independent, and the records of one pass are applied in one transaction, in record order.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flatfile_sync.files.columns import PLAN, read_table, write_table


def repeats(pass_nos: npt.NDArray[np.int64]) -> bool:
    """Return whether a pass is named more than once; 0 is none."""
    ranked = np.sort(pass_nos)
    again = ranked[1:] == ranked[:-1]
    return bool((again & (ranked[1:] != 0)).any())


def assign(pass_nos: npt.NDArray[np.int64], apart: npt.NDArray[np.bool_], *, size: int) -> list[npt.NDArray[np.int64]]:
    """Return the positions (record - 1) of each tail chunk, ascending; empty if no pass is named twice.

    Passes whose identifiers are corrected (`apart`) share the first tail chunk, so that a swap is one phase. A pass's
    records are never split, so a chunk may be larger than `size`.
    """
    order = np.argsort(pass_nos, kind="stable")
    ranked = pass_nos[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.array([], dtype=np.int64)
    counts = np.diff(np.r_[starts, len(ranked)])
    moved = np.logical_or.reduceat(apart[order], starts) if len(starts) else np.array([], dtype=bool)
    chosen = (ranked[starts] != 0) & ((counts > 1) | moved)
    groups = [(bool(moved[i]), order[starts[i] : starts[i] + counts[i]]) for i in np.flatnonzero(chosen)]
    # Passes in the order in which the file first names them; corrected identifiers first.
    groups.sort(key=lambda group: (not group[0], int(group[1][0])))
    chunks: list[list[npt.NDArray[np.int64]]] = []
    filled, correcting = 0, False
    for corrects, positions in groups:
        if not chunks or (filled >= size and not (corrects and correcting)) or correcting != corrects:
            chunks.append([])
            filled, correcting = 0, corrects
        chunks[-1].append(positions)
        filled += len(positions)
    return [np.sort(np.concatenate(parts)) for parts in chunks]


def split_off(plans: Sequence[tuple[Path, int]], positions: npt.NDArray[np.int64], target: Path) -> None:
    """Copy the records at `positions` of the drop into a tail chunk and mark them in their main chunks.

    `plans` are the main chunks with the number of their first record, in order.
    """
    parts = []
    for path, first in plans:
        table = read_table(path)
        low, high = np.searchsorted(positions, (first - 1, first - 1 + table.num_rows))
        rows = positions[low:high] - (first - 1)
        if not len(rows):
            continue
        parts.append(table.take(pa.array(rows)))
        tail = table["tail"].to_numpy(zero_copy_only=False).copy()
        tail[rows] = True
        place = PLAN.get_field_index("tail")
        fresh = path.with_suffix(".split")
        write_table(fresh, table.set_column(place, PLAN.field("tail"), pa.array(tail, pa.bool_())))
        fresh.replace(path)
    write_table(target, pa.concat_tables(parts))

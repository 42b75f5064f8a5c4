"""A chunk merged ahead of its transaction, in a worker process, on its passes as a snapshot shows them.

The transaction looks whether they still are as they were; if so it writes the draft, else it merges anew on what it
finds. So what is decided is decided on the row as it is then, and the one writer does little but write. Chunks that
need more of the database than their passes (new passes, corrected identifiers, messages, consent) have no draft.
"""

import marshal
import secrets
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow.compute as pc

from flatfile_sync.files.columns import VERDICT, encode, read_table
from flatfile_sync.pipeline.merging import Circumstances, Owing, merge_chunk
from flatfile_sync.pipeline.orders import read_orders, verdict_columns
from flatfile_sync.pipeline.pausing import no_collection
from flatfile_sync.spool.local import sync_folder, write_file
from flatfile_sync.store.passes import Rewrite, Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a chunk would write, and its verdict file, which is on disk already."""

    packed: bytes
    verdict_file: str
    verdict_sha256: str

    def unpack(self) -> "Changes":
        """Return what the chunk would write."""
        changes: Changes = marshal.loads(self.packed)  # noqa: S302 - written by our own worker
        return changes


Changes = tuple[list[Stamp], list[Rewrite], list[Owing]]
"""Passes to rewrite as they were seen, as they will be, and the deliveries owed.

A pass that a record leaves as it was is not looked at again: its record could as well have come at that moment.
"""


def passes_of(plan: Path, *, main: bool) -> list[int] | None:
    """Return the numbers of the passes a chunk names, ascending, or None if it needs more than its passes."""
    table = read_table(plan, ["pass_no", "extra", "failed", "tail"])
    if main:
        table = table.filter(pc.invert(table["tail"]))
    if table["extra"].null_count != table.num_rows:
        return None
    numbers = np.unique(table.filter(pc.invert(table["failed"]))["pass_no"].to_numpy())
    return None if len(numbers) and numbers[0] <= 0 else numbers.tolist()


def draft_chunk(plan: Path, name: str, stored: bytes | str, *, main: bool, around: Circumstances) -> Draft:
    """Merge a chunk on stored passes and write its verdict file beside the plan; `name` begins the file's name.

    `stored` is a JSON array of passes in the order of `PassRow`.
    """
    with no_collection():
        asked = read_orders(plan, main=main)
        rows = {row[0]: row for row in orjson.loads(stored)}
        outcome = merge_chunk(asked.orders, rows, {}, around=around)
        data, sha256 = encode(verdict_columns(outcome, asked.failed, around.now), VERDICT)
        file = f"{name}-{secrets.token_hex(4)}.arrow"
        write_file(plan.with_name(file), data)
        sync_folder(plan.parent)
        changes: Changes = (outcome.seen, outcome.rewrites, outcome.owed())
        # Three times as fast as pickle for plain tuples; both ends are the same program.
        return Draft(packed=marshal.dumps(changes), verdict_file=file, verdict_sha256=sha256)

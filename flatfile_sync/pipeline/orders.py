"""What the records of a chunk ask for, read from its plan file, and what they are told, as verdict columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.states import RecordStatus
from flatfile_sync.files.columns import read_table
from flatfile_sync.files.table import as_json
from flatfile_sync.pipeline.merging import Order, Outcome, Verdict
from flatfile_sync.pipeline.writing import Statement

_READ = (
    "record",
    "line",
    "key",
    "key_type",
    "op",
    "extra",
    "failed",
    "pass_no",
    "pass_id",
    "pass_type",
    "ids",
    "tail",
    "patch",
)


class Orders(NamedTuple):
    """A chunk's orders, the records that failed before, and what any of them says about consent."""

    orders: list[Order]
    failed: list[int]
    statements: list[Statement]


def read_orders(plan: Path, *, main: bool) -> Orders:
    """Return what a chunk's records ask for; a `main` chunk leaves out those that moved to a tail chunk."""
    table = read_table(plan, _READ)
    if main:
        table = table.filter(pc.invert(table["tail"]))
    extra, ids = _objects(table["extra"]), _objects(table["ids"])
    statements = _statements(table, extra, ids) if any("consents" in told for told in extra) else []
    failed = table["failed"].to_pylist()
    patches = orjson.loads("[" + ",".join(table["patch"].to_pylist()) + "]")
    columns = (table[name].to_pylist() for name in ("record", "line", "op", "pass_no", "pass_id", "pass_type"))
    orders = list(map(Order._make, zip(*columns, patches, extra, ids, strict=True)))
    if not any(failed):
        return Orders(orders, [], statements)
    pairs = list(zip(orders, failed, strict=True))
    return Orders([order for order, no in pairs if not no], [order.record for order, no in pairs if no], statements)


def _objects(column: pa.ChunkedArray) -> list[dict[str, Any]]:
    """Return JSON objects; where there is none, one and the same empty one."""
    nothing: dict[str, Any] = {}
    if column.null_count == len(column):
        return [nothing] * len(column)
    return [nothing if text is None else orjson.loads(text) for text in column.to_pylist()]


def _statements(table: pa.Table, extra: Sequence[dict[str, Any]], ids: Sequence[dict[str, str]]) -> list[Statement]:
    columns = [table[name].to_pylist() for name in ("record", "pass_no", "pass_id", "key_type", "key")]
    return [
        Statement(record, pass_no, pass_id or "", key_type, key, named, told["consents"])
        for record, pass_no, pass_id, key_type, key, named, told in zip(*columns, ids, extra, strict=True)
        if "consents" in told
    ]


def verdict_columns(outcome: Outcome, failed: Sequence[int], applied_at: int | None) -> dict[str, list[Any]]:
    """Return the verdict columns, by record. `applied_at` in microseconds, for those that were applied."""
    verdicts = outcome.verdicts
    for record in failed:
        verdicts[record] = Verdict(RecordStatus.REJECTED)
    ordered = sorted(verdicts.items())
    told = [verdict for _, verdict in ordered]
    return {
        "record": [record for record, _ in ordered],
        "status": [verdict.status for verdict in told],
        "changed": [" ".join(verdict.changed) for verdict in told],
        "message": [verdict.message for verdict in told],
        "pass_no": [verdict.pass_no for verdict in told],
        "pass_id": [verdict.pass_id for verdict in told],
        "revision": [verdict.revision for verdict in told],
        "apple": [verdict.apple for verdict in told],
        "google": [verdict.google for verdict in told],
        "notification": [verdict.notification for verdict in told],
        "link": [verdict.link for verdict in told],
        "applied_at": [applied_at if verdict.status is RecordStatus.APPLIED else None for verdict in told],
        "issues": [_issues(verdict.problem) for verdict in told],
    }


def _issues(problem: Issue | None) -> str | None:
    return None if problem is None else as_json([problem])

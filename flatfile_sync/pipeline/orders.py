"""What the records of a chunk ask for, read from its plan file, and what they are told, as verdict columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.states import RecordStatus
from flatfile_sync.files.columns import read_lists
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
    lists = read_lists(plan, _READ)
    nothing: dict[str, Any] = {}
    found = Orders([], [], [])
    lists["patch"] = orjson.loads("[" + ",".join(lists["patch"]) + "]")
    for row in zip(*lists.values(), strict=True):
        record, line, key, key_type, op, more, failed, pass_no, pass_id, pass_type, named, tail, patch = row
        if tail and main:
            continue
        extra = nothing if more is None else orjson.loads(more)
        ids = nothing if named is None else orjson.loads(named)
        if "consents" in extra:
            told = (record, pass_no, pass_id or "", key_type, key, ids, extra["consents"])
            found.statements.append(Statement._make(told))
        if failed:
            found.failed.append(record)
        else:
            found.orders.append(Order(record, line, op, pass_no, pass_id, pass_type, patch, extra, ids))
    return found


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
        "applied_at": [applied_at if verdict.status is RecordStatus.APPLIED else None for verdict in told],
        "issues": [_issues(verdict.problem) for verdict in told],
    }


def _issues(problem: Issue | None) -> str | None:
    return None if problem is None else as_json([problem])

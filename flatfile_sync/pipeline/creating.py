"""Records of one file that name the same new pass: the first creates it, the later ones see it.

Only records whose identifiers meet (found by 64-bit hashes over the whole drop) come here, in record order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Project
from flatfile_sync.domain.states import Operation
from flatfile_sync.files.columns import PLAN, read_table, write_table
from flatfile_sync.pipeline.resolving import Resolved, key_issue, unique_columns, with_issue


@dataclass(frozen=True, slots=True)
class NewPass:
    """A pass to be created by record `-pass_no`."""

    pass_no: int
    pass_id: str
    pass_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Namer:
    """A record that found no stored pass, and whether it may create one."""

    record: int
    op: str
    keys: tuple[tuple[str, str], ...]
    pass_type: str | None
    creates: NewPass | None


Answer = NewPass | Issue
"""What a later record gets instead of its own creation: the pass created before it, or an issue."""


def meeting_records(resolved: Sequence[Resolved]) -> npt.NDArray[np.int32]:
    """Return, sorted, the records whose new identifiers also stand in another record."""
    keys = np.concatenate([part.new_keys for part in resolved])
    records = np.concatenate([part.new_records for part in resolved])
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.unique(records[counts[inverse] > 1])


def namers(plan: Path, checked: Path, records: Sequence[int]) -> list[Namer]:
    """Return the given records of a chunk as namers, in order."""
    chosen = pa.array(records, pa.int32())
    names = [name for name in read_table(checked).column_names if name == "id" or name.startswith("id.")]
    texts = read_table(checked, [*names, "record"])
    rows = texts.filter(pc.is_in(texts["record"], value_set=chosen)).to_pylist()
    plans = read_table(plan, ["record", "op", "pass_no", "pass_id", "pass_type"])
    orders = plans.filter(pc.is_in(plans["record"], value_set=chosen)).to_pylist()
    return [
        Namer(
            record=row["record"],
            op=order["op"],
            keys=tuple((name, row[name]) for name in names if row[name] is not None),
            pass_type=order["pass_type"],
            creates=NewPass(order["pass_no"], order["pass_id"], order["pass_type"]) if order["pass_no"] < 0 else None,
        )
        for row, order in zip(rows, orders, strict=True)
    ]


class Newborn:
    """The passes that the records so far will create, by identifier."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._unique = unique_columns(project)
        self._by_key: dict[tuple[str, str], list[NewPass]] = {}

    def follow(self, namer: Namer) -> Answer | None:
        """Return what the record gets, or None if it stands as it was resolved (it creates, or finds nothing)."""
        wanted = namer.creates.pass_type if namer.creates else namer.pass_type
        common: set[NewPass] | None = None
        known = own = 0
        for key in namer.keys:
            named = {born for born in self._by_key.get(key, ()) if wanted is None or born.pass_type == wanted}
            known += bool(named)
            own += bool(named) and key[0] in self._unique
            common = named if common is None else common & named
        if known == 0 or (namer.creates is not None and own == 0):
            if namer.creates is not None:
                for key in namer.keys:
                    self._by_key.setdefault(key, []).append(namer.creates)
            return None
        if not common:
            return key_issue("K04", namer.keys, self._project, record=namer.record)
        if len(common) > 1:
            return key_issue("K03", namer.keys, self._project, record=namer.record, found=len(common))
        if namer.op == Operation.CREATE:
            return key_issue("K05", namer.keys, self._project, record=namer.record)
        return common.pop()


def amend(plan: Path, answers: Mapping[int, Answer]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Rewrite a plan chunk with the answers for some of its records; return its pass numbers and failures anew."""
    table = read_table(plan)
    columns: dict[str, list[Any]] = {
        name: table[name].to_pylist()
        for name in ("record", "pass_no", "pass_id", "pass_type", "ids", "issues", "failed")
    }
    for row, record in enumerate(columns["record"]):
        answer = answers.get(record)
        if answer is None:
            continue
        if isinstance(answer, Issue):
            columns["pass_no"][row], columns["pass_id"][row], columns["ids"][row] = 0, None, None
            columns["issues"][row] = with_issue(_without_not_found(columns["issues"][row]), answer)
            columns["failed"][row] = True
        else:
            # Its own identifiers stay: should the creator be refused, it creates the pass.
            if columns["failed"][row]:
                columns["ids"][row] = None
            columns["pass_no"][row], columns["pass_id"][row] = answer.pass_no, answer.pass_id
            columns["pass_type"][row] = answer.pass_type
            columns["issues"][row] = _without_not_found(columns["issues"][row])
            columns["failed"][row] = False
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, PLAN.field(name), pa.array(values, PLAN.field(name).type))
    fresh = plan.with_suffix(".amended")
    write_table(fresh, table)
    fresh.replace(plan)
    failed = np.array(columns["failed"], dtype=bool)
    return np.where(failed, 0, np.array(columns["pass_no"], dtype=np.int64)), failed


def _without_not_found(issues: str | None) -> str | None:
    """Return a record's issues without K02 and K06: the pass it names will exist by the time its turn comes."""
    left = [entry for entry in orjson.loads(issues or "[]") if entry["code"] not in {"K02", "K06"}]
    return orjson.dumps(left).decode() if left else None

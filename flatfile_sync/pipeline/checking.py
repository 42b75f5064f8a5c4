"""One text chunk to one checked chunk: runs in worker processes, column by column.

A record's patch is joined from fragments of JSON, made once per distinct cell of a column.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.columns import Column, Role
from flatfile_sync.domain.issues import Issue, Severity
from flatfile_sync.domain.project import Feed, Field, Project
from flatfile_sync.domain.states import Operation
from flatfile_sync.files.columns import read_table, write_table
from flatfile_sync.files.table import NULL_MARK, PLACE, as_json
from flatfile_sync.pipeline.instructions import Instructions, identifier_problem
from flatfile_sync.pipeline.values import as_issue, check_column

_PLACES: Final = ("record", "line", "line_end", "offset", "length")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedChunk:
    """How many records failed, and for each `unique` column 64-bit hashes of its values with their records."""

    failed: int
    repeats: dict[str, tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]]


class _Problems:
    """The issues of a chunk by row."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.by_row: dict[int, list[Issue]] = defaultdict(list)

    def add(self, row: int, problem: Issue) -> None:
        self.by_row[row].append(problem)

    def record(self, row: int) -> int:
        return self._first + row


def check_chunk(source: Path, target: Path, *, columns: Sequence[Column], project: Project, feed: Feed) -> CheckedChunk:
    """Write the checked chunk of a text chunk and remove the latter. `columns` are those of the header, in order."""
    table = read_table(source)
    size = table.num_rows
    flaws = table[PLACE + "flaw"].to_pylist()
    problems = _Problems(table[PLACE + "record"][0].as_py() if size else 1)
    repeats: dict[str, tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]] = {}
    fragments: list[list[str | None]] = []
    keys: dict[str, list[str | None]] = {}
    instructions = Instructions(project, feed, size)
    for column in columns:
        cells = table[column.name].to_pylist()
        marks = _marks(table, column.name)
        if column.role is Role.DATA:
            field = project.model.field(column.name)
            if field is not None:
                fragments.append(_data(field, cells, marks, feed, problems))
                if field.constraints.unique:
                    repeats[column.name] = _hashes(cells, marks, fragments[-1], problems)
        elif column.role in {Role.IDENTIFIER, Role.PASS_ID}:
            keys[column.name] = _keys(column, cells, marks, project, problems)
        else:
            instructions.take(column, cells, marks, problems)
    rows = instructions.finish(problems)
    chosen = _chosen_key(keys, size)
    for row in range(size):
        if flaws[row] is None and chosen[0][row] is None:
            named = ", ".join(f"`{name}`" for name in keys)
            problems.add(row, issue("K01", record=problems.record(row), identifiers=named))
    issues, failed = _joined(flaws, problems, size)
    patches = ["{" + ",".join(filter(None, row)) + "}" for row in zip(*fragments, strict=True)] or ["{}"] * size
    echo = table[feed.echo] if feed.echo in {column.name for column in columns} else pa.nulls(size, pa.string())
    result: dict[str, Any] = {name: table[PLACE + name] for name in _PLACES}
    result |= {
        "key": pa.array(chosen[0], pa.string()),
        "key_type": pa.array(chosen[1], pa.string()),
        "echo": echo,
        "op": pa.array(rows.ops, pa.string()),
        "pass_type": pa.array(rows.pass_types, pa.string()),
        "patch": pa.array(patches, pa.string()),
        "extra": pa.array(rows.extras, pa.string()),
        "issues": pa.array(issues, pa.string()),
        "failed": pa.array(failed, pa.bool_()),
    }
    result |= {name: pa.array(values, pa.string()) for name, values in keys.items()}
    write_table(target, pa.table(result))
    source.unlink()
    return CheckedChunk(failed=sum(failed), repeats=repeats)


def place_chunk(source: Path, target: Path, *, operation: Operation) -> CheckedChunk:
    """Write the checked chunk of a file that is refused as a whole: every record in its place, none with a cell."""
    table = read_table(source, [PLACE + name for name in _PLACES])
    size = table.num_rows
    empty = pa.nulls(size, pa.string())
    result: dict[str, Any] = {name: table[PLACE + name] for name in _PLACES}
    result |= dict.fromkeys(("key", "key_type", "echo"), empty)
    result |= {"op": pa.array([operation.value] * size, pa.string()), "pass_type": empty}
    result |= {"patch": pa.array(["{}"] * size, pa.string()), "extra": empty, "issues": empty}
    write_table(target, pa.table(result | {"failed": pa.array([False] * size, pa.bool_())}))
    source.unlink()
    return CheckedChunk(failed=0, repeats={})


def mark_repeated(path: Path, repeated: Mapping[int, tuple[str, int]], *, project: Project) -> int:
    """Add V07 to the given records (record -> column, record of the first) and return how many failed anew."""
    table = read_table(path)
    records, issues = table["record"].to_pylist(), table["issues"].to_pylist()
    failed = table["failed"].to_pylist()
    added = 0
    for row, record in enumerate(records):
        if record not in repeated:
            continue
        column, other = repeated[record]
        field = project.model.field(column)
        patch = orjson.loads(table["patch"][row].as_py())
        value = str(patch.get(field.target if field else column, ""))
        pii = field is not None and field.pii
        problem = issue("V07", record=record, column=column, value=value, pii=pii, other=other)
        known = orjson.loads(issues[row] or "[]") + orjson.loads(as_json([problem]))
        issues[row] = orjson.dumps(known).decode()
        added += not failed[row]
        failed[row] = True
    for name, values, kind in (("issues", issues, pa.string()), ("failed", failed, pa.bool_())):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values, kind))
    fresh = path.with_suffix(".marked")
    write_table(fresh, table)
    fresh.replace(path)
    return added


def _marks(table: pa.Table, name: str) -> list[bool] | None:
    return table[name + NULL_MARK].to_pylist() if name + NULL_MARK in table.column_names else None


def _data(
    field: Field, cells: list[str | None], marks: list[bool] | None, feed: Feed, problems: _Problems
) -> list[str | None]:
    """Return a JSON fragment `"key":value` per row, None where the cell says nothing or is wrong."""
    key = orjson.dumps(field.target).decode()
    sets_empty = feed.quoted_empty_sets and field.type == "string"
    distinct = [cell for cell in dict.fromkeys(cells) if cell is not None and (cell or sets_empty)]
    if marks is not None:
        plain = {cell for cell, marked in zip(cells, marks, strict=True) if not marked}
        distinct = [cell for cell in distinct if cell in plain]
    values, wrong = check_column(field, distinct)
    known: dict[str | None, str] = {}
    bad: dict[str, Any] = {}
    for place, (cell, value) in enumerate(zip(distinct, values, strict=True)):
        if place in wrong:
            bad[cell] = wrong[place]
        else:
            known[cell] = f"{key}:{orjson.dumps(value).decode()}"
    result = [known.get(cell) for cell in cells]
    if marks is not None:
        for row in (row for row, marked in enumerate(marks) if marked):
            result[row] = f"{key}:null"
    if field.constraints.required and (marks is not None or sets_empty):
        _require(field, cells, marks, problems, sets_empty=sets_empty)
    if bad:
        for row, found in enumerate(cells):
            if found is not None and found in bad and not (marks and marks[row]):
                problems.add(row, as_issue(field, bad[found], record=problems.record(row), value=found))
    return result


def _require(
    field: Field, cells: list[str | None], marks: list[bool] | None, problems: _Problems, *, sets_empty: bool
) -> None:
    """Add V02 where a required value would be removed or emptied; an empty cell leaves it as it is."""
    for row, cell in enumerate(cells):
        if (marks and marks[row]) or (sets_empty and not cell and cell is not None):
            problems.add(row, issue("V02", record=problems.record(row), column=field.name))


def _keys(
    column: Column, cells: list[str | None], marks: list[bool] | None, project: Project, problems: _Problems
) -> list[str | None]:
    """Return identifier values; leading zeros and spaces survive, a quoted empty cell or a null token is no value."""
    kind = project.model.identifier(column.part) if column.role is Role.IDENTIFIER else None
    result = [cell or None for cell in cells]
    if marks is not None:
        result = [None if marked else cell for cell, marked in zip(result, marks, strict=True)]
    for cell in list(dict.fromkeys(result)):
        if cell is None or kind is None:
            continue
        problem = identifier_problem(kind, column.name, cell)
        if problem is not None:
            for row in (row for row, value in enumerate(result) if value == cell):
                problems.add(row, problem(problems.record(row)))
    return result


def _chosen_key(keys: Mapping[str, list[str | None]], size: int) -> tuple[list[str | None], list[str | None]]:
    """Return each row's first identifier that is filled in, and its column."""
    values: list[str | None] = [None] * size
    names: list[str | None] = [None] * size
    for name, cells in keys.items():
        for row, cell in enumerate(cells):
            if cell is not None and values[row] is None:
                values[row], names[row] = cell, name
    return values, names


def _hashes(
    cells: list[str | None], marks: list[bool] | None, values: list[str | None], problems: _Problems
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Return hashes of the canonical values (as fragments of JSON) and their records; empty and null are no values."""
    filled = [
        (value, problems.record(row))
        for row, (cell, value) in enumerate(zip(cells, values, strict=True))
        if cell and value is not None and not (marks and marks[row])
    ]
    hashes = [int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big") for value, _ in filled]
    return np.array(hashes, dtype=np.uint64), np.array([record for _, record in filled], dtype=np.int32)


def _joined(flaws: list[str | None], problems: _Problems, size: int) -> tuple[list[str | None], list[bool]]:
    issues: list[str | None] = list(flaws)
    failed = [flaw is not None for flaw in flaws]
    for row, found in problems.by_row.items():
        if flaws[row] is None and row < size:
            issues[row] = as_json(found)
            failed[row] = any(problem.severity is Severity.ERROR for problem in found)
    return issues, failed

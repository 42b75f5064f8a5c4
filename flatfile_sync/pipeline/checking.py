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
import pyarrow.compute as pc

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.columns import Column, Role
from flatfile_sync.domain.issues import Issue, Severity
from flatfile_sync.domain.project import Feed, Field, Project
from flatfile_sync.domain.states import Operation
from flatfile_sync.files.columns import read_table, write_table
from flatfile_sync.files.table import NULL_MARK, PLACE, as_json
from flatfile_sync.pipeline.instructions import Instructions, identifier_problem
from flatfile_sync.pipeline.plain import plain_json
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
    fragments: list[pa.Array] = []
    keys: dict[str, pa.Array] = {}
    instructions = Instructions(project, feed, size)
    for column in columns:
        cells = table[column.name].combine_chunks()
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
            instructions.take(column, cells.to_pylist(), None if marks is None else marks.to_pylist(), problems)
    rows = instructions.finish(problems)
    key, key_type = _chosen_key(keys, size)
    for row in np.flatnonzero(pc.is_null(key).to_numpy(zero_copy_only=False)).tolist():
        if flaws[row] is None:
            named = ", ".join(f"`{name}`" for name in keys)
            problems.add(row, issue("K01", record=problems.record(row), identifiers=named))
    issues, failed = _joined(flaws, problems, size)
    echo = table[feed.echo] if feed.echo in {column.name for column in columns} else pa.nulls(size, pa.string())
    result: dict[str, Any] = {name: table[PLACE + name] for name in _PLACES}
    result |= {
        "key": key,
        "key_type": key_type,
        "echo": echo,
        "op": pa.array(rows.ops, pa.string()),
        "pass_type": pa.array(rows.pass_types, pa.string()),
        "patch": _patches(fragments, size),
        "extra": pa.array(rows.extras, pa.string()),
        "issues": pa.array(issues, pa.string()),
        "failed": pa.array(failed, pa.bool_()),
    }
    result |= keys
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


def _marks(table: pa.Table, name: str) -> pa.Array | None:
    return table[name + NULL_MARK].combine_chunks() if name + NULL_MARK in table.column_names else None


def _data(field: Field, cells: pa.Array, marks: pa.Array | None, feed: Feed, problems: _Problems) -> pa.Array:
    """Return a JSON fragment `"key":value` per row, null where the cell says nothing or is wrong."""
    key = orjson.dumps(field.target).decode()
    sets_empty = feed.quoted_empty_sets and field.type == "string"
    said = cells if sets_empty else _filled(cells)
    if marks is not None:
        said = pc.if_else(marks, None, said)
    values = plain_json(field, _filled(said))
    unsure = pc.and_(pc.is_valid(said), pc.is_null(values))
    if pc.any(unsure).as_py():
        values = pc.replace_with_mask(values, unsure, _checked(field, said.filter(unsure), unsure, problems))
    fragments = pc.binary_join_element_wise(f"{key}:", values, "")
    if marks is not None:
        fragments = pc.if_else(marks, f"{key}:null", fragments)
    if field.constraints.required and (marks is not None or sets_empty):
        _require(field, cells, marks, problems, sets_empty=sets_empty)
    return fragments


def _checked(field: Field, cells: pa.Array, where: pa.Array, problems: _Problems) -> pa.Array:
    """Return the JSON text of cells that `check_column` looks at, each distinct one once; null where it is wrong.

    `where` marks their rows in the chunk.
    """
    encoded = pc.dictionary_encode(cells)
    distinct = encoded.dictionary.to_pylist()
    values, wrong = check_column(field, distinct)
    texts = [None if place in wrong else orjson.dumps(value).decode() for place, value in enumerate(values)]
    if wrong:
        rows = np.flatnonzero(where.to_numpy(zero_copy_only=False)).tolist()
        for row, place in zip(rows, encoded.indices.to_pylist(), strict=True):
            if place in wrong:
                found = as_issue(field, wrong[place], record=problems.record(row), value=distinct[place])
                problems.add(row, found)
    return pa.array(texts, pa.string()).take(encoded.indices)


def _filled(cells: pa.Array) -> pa.Array:
    """Return the cells with null for empty ones."""
    return pc.if_else(pc.equal(cells, ""), None, cells)


def _patches(fragments: Sequence[pa.Array], size: int) -> pa.Array:
    """Return each record's patch as a JSON object."""
    if not fragments:
        return pa.array(["{}"] * size, pa.string())
    # Not `null_handling="skip"`: of a single column Arrow 26 then leaves out the rows that are null.
    entries = [pc.fill_null(pc.binary_join_element_wise(",", fragment, ""), "") for fragment in fragments]
    joined = pc.ascii_ltrim(pc.binary_join_element_wise(*entries, ""), characters=",")
    return pc.binary_join_element_wise("{", joined, "}", "")


def _require(field: Field, cells: pa.Array, marks: pa.Array | None, problems: _Problems, *, sets_empty: bool) -> None:
    """Add V02 where a required value would be removed or emptied; an empty cell leaves it as it is."""
    missing = pc.fill_null(pc.equal(cells, ""), False) if sets_empty else pa.array([False] * len(cells))
    if marks is not None:
        missing = pc.or_(missing, marks)
    for row in np.flatnonzero(missing.to_numpy(zero_copy_only=False)).tolist():
        problems.add(row, issue("V02", record=problems.record(row), column=field.name))


def _keys(column: Column, cells: pa.Array, marks: pa.Array | None, project: Project, problems: _Problems) -> pa.Array:
    """Return identifier values; leading zeros and spaces survive, a quoted empty cell or a null token is no value."""
    kind = project.model.identifier(column.part) if column.role is Role.IDENTIFIER else None
    result = _filled(cells)
    if marks is not None:
        result = pc.if_else(marks, None, result)
    if kind is not None:
        for row, cell in enumerate(result.to_pylist()):
            problem = None if cell is None else identifier_problem(kind, column.name, cell)
            if problem is not None:
                problems.add(row, problem(problems.record(row)))
    return result


def _chosen_key(keys: Mapping[str, pa.Array], size: int) -> tuple[pa.Array, pa.Array]:
    """Return each row's first identifier that is filled in, and its column."""
    if not keys:
        return pa.nulls(size, pa.string()), pa.nulls(size, pa.string())
    names = [pc.if_else(pc.is_valid(cells), name, None) for name, cells in keys.items()]
    return pc.coalesce(*keys.values()), pc.coalesce(*names)


def _hashes(
    cells: pa.Array, marks: pa.Array | None, values: pa.Array, problems: _Problems
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Return hashes of the canonical values (as fragments of JSON) and their records; empty and null are no values."""
    said = _filled(cells)
    if marks is not None:
        said = pc.if_else(marks, None, said)
    filled = np.flatnonzero(pc.and_(pc.is_valid(said), pc.is_valid(values)).to_numpy(zero_copy_only=False))
    texts = values.take(pa.array(filled)).to_pylist()
    hashes = [int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big") for value in texts]
    records = [problems.record(row) for row in filled.tolist()]
    return np.array(hashes, dtype=np.uint64), np.array(records, dtype=np.int32)


def _joined(flaws: list[str | None], problems: _Problems, size: int) -> tuple[list[str | None], list[bool]]:
    issues: list[str | None] = list(flaws)
    failed = [flaw is not None for flaw in flaws]
    for row, found in problems.by_row.items():
        if flaws[row] is None and row < size:
            issues[row] = as_json(found)
            failed[row] = any(problem.severity is Severity.ERROR for problem in found)
    return issues, failed

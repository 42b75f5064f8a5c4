"""Passes that exist elsewhere come in from a file: checked like a drop's records, stored chunk by chunk.

A chunk is stored whole or not at all; the first one with a problem ends the import. A row whose pass is there already
(its id, or without one all its unique identifiers, name the same pass) is passed over, so a repaired file may simply
come again.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.columns import Column, Role
from flatfile_sync.domain.issues import Issue, Severity
from flatfile_sync.domain.project import Constraints, Feed, Field, Project
from flatfile_sync.domain.states import PassStatus
from flatfile_sync.files.columns import read_lists, read_table
from flatfile_sync.files.dialect import Dialect
from flatfile_sync.files.scan import scan
from flatfile_sync.files.table import NULL_MARK, Cut, write_slice
from flatfile_sync.pipeline.checking import CheckedChunk, check_chunk
from flatfile_sync.pipeline.founding import NewPass, store_missing, unique_kinds
from flatfile_sync.pipeline.header import check_header
from flatfile_sync.pipeline.operate import ACTOR
from flatfile_sync.pipeline.values import as_issue, check_column
from flatfile_sync.store import audit, counters
from flatfile_sync.store.database import Store

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_INSTALLED: Final = tuple(
    Field(name=name, target=name, type="integer", constraints=Constraints(minimum=0, maximum=2**31 - 1))
    for name in ("apple", "google")
)
_FEED: Final = Feed(
    name="passes import",
    writable=("additionalData.*", "metadata.*", "status", "expires_at"),
    ignored=tuple(column.name for column in _INSTALLED),
)
_READ: Final = ("record", "line", "pass_type", "patch", "extra", "issues", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An issue and the first line of its record (1 = header)."""

    line: int
    issue: Issue


@dataclass(slots=True, kw_only=True)
class Imported:
    """How many passes were created, and were there already; `problems` are those of the chunk that ended the import.

    `records` are those of the file, `done` those of the chunks that were stored; `warned` are those of which a value
    was dropped by its field's policy.
    """

    records: int = 0
    done: int = 0
    created: int = 0
    present: int = 0
    warned: int = 0
    problems: list[Problem] = field(default_factory=list)


def import_passes(
    source: Path,
    project: Project,
    *,
    store: Store,
    work: Path,
    clock: Clock,
    chunk_records: int = 10_000,
    progress: Callable[[int, int], None] = lambda _done, _records: None,
) -> Imported:
    """Store the passes of a file. `work` is a folder for what lies in between; `progress` hears done and records."""
    found = scan(source, chunk_records=chunk_records, max_records=10**9)
    result = Imported(records=found.records)
    columns, issues = check_header(found.header, project, _FEED) if found.header else ((), [])
    errors = [problem for problem in (*found.issues, *issues) if problem.severity is Severity.ERROR]
    if errors or found.dialect is None:
        result.problems = [Problem(line=1, issue=problem) for problem in errors]
        return result
    # Passes with a higher number are of this file: naming one of them again is a mistake, not a repetition.
    last = store.read_now(lambda conn: counters.current(conn, "pass_no"))
    reader = _Reader(source, found.dialect, columns, project, work)
    for cut in found.cuts:
        rows, result.problems = reader.read(cut)
        if not result.problems:
            created, wrong = store.write_now(
                lambda conn, rows=rows: store_missing(conn, rows, project, last=last, clock=clock)  # type: ignore[misc]
            )
            result.problems = reader.placed(wrong)
        if result.problems:
            break
        result.created += created
        result.present += len(rows) - created
        result.warned += reader.warned
        result.done += cut.records
        progress(result.done, result.records)
    told = {"project": project.name, "file": source.name, "created": result.created, "present": result.present}
    store.write_now(lambda conn: audit.record(conn, at=clock(), actor=ACTOR, event="passes_imported", details=told))
    return result


class _Reader:
    """Reads one file cut by cut; remembers what must be unique in it."""

    def __init__(self, source: Path, dialect: Dialect, columns: Sequence[Column], project: Project, work: Path) -> None:
        self._source, self._dialect, self._columns, self._project = source, dialect, columns, project
        self._text, self._checked = work / "import.text.arrow", work / "import.checked.arrow"
        self._seen: dict[str, dict[int, int]] = defaultdict(dict)
        self._lines: dict[int, int] = {}
        self.warned = 0

    def read(self, cut: Cut) -> tuple[list[NewPass], list[Problem]]:
        """Return the rows of a cut, and what is wrong with the others."""
        header = [column.name for column in self._columns]
        tokens = tuple(token for token in self._project.model.missing_values if token)
        dialect = self._dialect
        write_slice(self._source, self._text, cut, header=header, dialect=dialect, null_tokens=tokens, refused=False)
        installed, wrong = _installed(self._text, cut)
        chunk = check_chunk(self._text, self._checked, columns=self._columns, project=self._project, feed=_FEED)
        keys = [column.name for column in self._columns if column.role in {Role.PASS_ID, Role.IDENTIFIER}]
        lists = read_lists(self._checked, [*_READ, *keys])
        self._lines = dict(zip(lists["record"], lists["line"], strict=True))
        wrong += self._repeated(chunk, lists["patch"], cut.first)
        self.warned = sum(
            found is not None and not failed for found, failed in zip(lists["issues"], lists["failed"], strict=True)
        )
        rows = []
        for place, record in enumerate(lists["record"]):
            if lists["failed"][place]:
                found = [Issue(**entry | {"record": record}) for entry in orjson.loads(lists["issues"][place])]
                wrong += [problem for problem in found if problem.severity == Severity.ERROR]
                continue
            row = {name: values[place] for name, values in lists.items()}
            made = _new_pass(row, keys, [counts[place] for counts in installed], self._project)
            if isinstance(made, Issue):
                wrong.append(made)
            else:
                rows.append(made)
        return rows, self.placed(wrong)

    def placed(self, wrong: Sequence[Issue]) -> list[Problem]:
        """Return issues of the last cut with their lines, in the order of the file."""
        problems = [Problem(line=self._lines[problem.record or 0], issue=problem) for problem in wrong]
        return sorted(problems, key=lambda problem: problem.line)

    def _repeated(self, chunk: CheckedChunk, patches: Sequence[str], first: int) -> list[Issue]:
        """Return V07 for each value of a `unique` field that stands in an earlier record of the file."""
        wrong = []
        for column, (hashes, records) in chunk.repeats.items():
            entry = self._project.model.field(column)
            for value, record in zip(hashes.tolist(), records.tolist(), strict=True):
                other = self._seen[column].setdefault(value, record)
                if other != record and entry is not None:
                    text = str(orjson.loads(patches[record - first]).get(entry.target, ""))
                    wrong.append(issue("V07", record=record, column=column, value=text, pii=entry.pii, other=other))
        return wrong


def _new_pass(
    row: Mapping[str, Any], keys: Sequence[str], installed: Sequence[int], project: Project
) -> NewPass | Issue:
    record, own = row["record"], row.get("id")
    if own is not None and not _ID.fullmatch(own):
        return issue("V05", record=record, column="id", value=own, expected=_ID.pattern)
    pass_type = row["pass_type"] or (project.pass_types[0].name if len(project.pass_types) == 1 else None)
    if pass_type is None:
        hint = f"Fill in `passType` with one of {', '.join(known.name for known in project.pass_types)}."
        return issue("K06", record=record, column="passType", reason="it names no pass type", suggestion=hint)
    ids = {name.removeprefix("id."): row[name] for name in keys if name != "id" and row[name] is not None}
    if own is None and unique_kinds(project).isdisjoint(ids):
        hint = f"Fill in `id` or one of {', '.join(f'`id.{name}`' for name in sorted(unique_kinds(project)))}."
        return issue("K06", record=record, column="id", reason="it has no unique identifier", suggestion=hint)
    document = {key: value for key, value in orjson.loads(row["patch"]).items() if value is not None}
    absent = [
        entry.name
        for entry in project.model.fields
        if entry.constraints.required and document.get(entry.target) is None
    ]
    if absent:
        hint = f"Fill in {', '.join(absent)}."
        return issue("K06", record=record, column=absent[0], reason="required values are missing", suggestion=hint)
    extra = orjson.loads(row["extra"]) if row["extra"] else {}
    return NewPass(
        record=record,
        id=own,
        pass_type=pass_type,
        ids=ids,
        document=orjson.dumps(document).decode(),
        status=extra.get("status", PassStatus.ACTIVE.value),
        expires_at=extra.get("expires_at"),
        apple=installed[0],
        google=installed[1],
    )


def _installed(text: Path, cut: Cut) -> tuple[list[list[int]], list[Issue]]:
    """Return the numbers of the columns `apple` and `google`, 0 where a cell is empty, and what is wrong with them."""
    table = read_table(text)
    counts: list[list[int]] = []
    wrong: list[Issue] = []
    for column in _INSTALLED:
        if column.name not in table.column_names:
            counts.append([0] * cut.records)
            continue
        cells = table[column.name].to_pylist()
        nulls = column.name + NULL_MARK
        empty = table[nulls].to_pylist() if nulls in table.column_names else [False] * cut.records
        texts = ["0" if marked or not cell else cell for cell, marked in zip(cells, empty, strict=True)]
        values, bad = check_column(column, texts)
        for place, found in bad.items():
            wrong.append(as_issue(column, found, record=cut.first + place, value=texts[place]))
        counts.append([int(value or 0) for value in values])
    return counts, wrong

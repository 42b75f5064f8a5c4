"""The CSV files of a result set: written chunk by chunk from plan and verdict files; runs in worker processes.

Machine columns (`_key`, `_echo`) are exact, so that they join; free text is neutralised against spreadsheet formulas.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import orjson
import pyarrow as pa

from flatfile_sync.domain.catalogue import CATALOGUE
from flatfile_sync.domain.states import Owed, RecordStatus
from flatfile_sync.files.columns import PLAN, VERDICT, file_sha256, read_table

RESULT_COLUMNS: Final = (
    "_line",
    "_line_end",
    "_record",
    "_key",
    "_key_type",
    "_echo",
    "_op",
    "_status",
    "_changed",
    "_codes",
    "_message",
    "_pass_id",
    "_passes",
    "_revision",
    "_apple",
    "_google",
    "_notification",
    "_applied_at",
)
ISSUE_COLUMNS: Final = (
    "_line",
    "_line_end",
    "_record",
    "_key",
    "_echo",
    "_severity",
    "_code",
    "_column",
    "_value",
    "_message",
    "_hint",
    "_retryable",
    "_owner",
    "_reject_line",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width forms count too
_NOT_APPLIED: Final = frozenset({RecordStatus.REJECTED, RecordStatus.SKIPPED, RecordStatus.UNPROCESSED})
_FIRST_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where the records of a drop lie: main chunks (plan, verdict) in order, and tail chunks beside them."""

    main: Sequence[tuple[Path, Path]]
    tail: Sequence[tuple[Path, Path]]


@dataclass(slots=True, kw_only=True)
class Counts:
    """What was counted while writing. `codes` maps a code to its count; `first_lines` to its first lines."""

    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    first_lines: dict[str, list[int]] = field(default_factory=dict)
    notifications: Counter[str] = field(default_factory=Counter)
    owed: Counter[str] = field(default_factory=Counter)
    issues: int = 0
    rejects: int = 0

    @property
    def records(self) -> int:
        """All records that got a verdict."""
        return sum(self.statuses.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report file: bytes and sha256."""

    size: int
    sha256: str


def write_result_set(
    parts: Parts,
    source: Path,
    header: bytes,
    file_issues: Sequence[Mapping[str, Any]],
    *,
    result: Path,
    issues: Path,
    rejects: Path,
) -> tuple[Counts, dict[str, Written]]:
    """Write `.result.csv`, `.issues.csv` and `.rejects.csv` and return counts and files by their kind.

    `header` are the original bytes of the header line; `rejects` is removed again if nothing was left out.
    """
    counts = Counts()
    with (
        result.open("w", encoding="utf-8", newline="") as result_file,
        issues.open("w", encoding="utf-8", newline="") as issues_file,
        rejects.open("wb") as rejects_file,
        source.open("rb") as original,
    ):
        result_csv = csv.writer(result_file, lineterminator="\n")
        issues_csv = csv.writer(issues_file, lineterminator="\n")
        result_csv.writerow(RESULT_COLUMNS)
        issues_csv.writerow(ISSUE_COLUMNS)
        for entry in file_issues:
            # What concerns the file as a whole stands on the line of the header.
            line = entry.get("line") or 1
            _count(counts, entry["code"], line)
            issues_csv.writerow(_issue_row(entry, {"line": line, "line_end": line}, ""))
        rejects_file.write(header)
        reject_line = 1 + header.count(b"\n") if header else 1
        for plan, verdicts in _chunks(parts):
            columns = _result_columns(plan, verdicts, counts)
            result_csv.writerows(zip(*columns, strict=True))
            reject_line = _write_problems(
                plan,
                verdicts,
                counts,
                issues_csv=issues_csv,
                rejects=rejects_file,
                original=original,
                reject_line=reject_line,
            )
    files = {"result.csv": _written(result), "issues.csv": _written(issues)}
    if counts.rejects:
        files["rejects.csv"] = _written(rejects)
    else:
        rejects.unlink()
    return counts, files


def _chunks(parts: Parts) -> Iterator[tuple[dict[str, list[Any]], dict[str, list[Any]]]]:
    """Yield each main chunk's plan and verdicts as lists in record order; tail verdicts are put in their places."""
    tails = [read_table(verdict) for _, verdict in parts.tail]
    places = [table["record"].to_numpy() for table in tails]
    for plan_file, verdict_file in parts.main:
        plan = read_table(plan_file)
        if not plan.num_rows:
            continue
        first, last = plan["record"][0].as_py(), plan["record"][-1].as_py()
        pieces = [read_table(verdict_file)]
        for table, records in zip(tails, places, strict=True):
            low, high = np.searchsorted(records, (first, last + 1))
            if high > low:
                pieces.append(table.slice(int(low), int(high - low)))
        verdicts = pa.concat_tables(pieces)
        if len(pieces) > 1:
            verdicts = verdicts.sort_by("record")
        if verdicts["record"].to_pylist() != plan["record"].to_pylist():
            raise AssertionError(f"{plan_file.name}: a record has no verdict, or more than one")
        yield (
            {name: plan[name].to_pylist() for name in PLAN.names if name not in {"patch", "extra", "ids"}},
            {name: verdicts[name].to_pylist() for name in VERDICT.names},
        )


def _result_columns(plan: dict[str, list[Any]], verdicts: dict[str, list[Any]], counts: Counts) -> list[Sequence[Any]]:
    """Return the columns of `result.csv` for one chunk."""
    size = len(plan["record"])
    counts.statuses.update(verdicts["status"])
    counts.notifications.update(verdicts["notification"])
    for platform in ("apple", "google"):
        queued = verdicts[platform].count(Owed.QUEUED.value)
        if queued:
            counts.owed[platform] += queued
    codes, messages = [""] * size, verdicts["message"]
    for row in range(size):
        if plan["issues"][row] or verdicts["issues"][row]:
            found = _found(plan, verdicts, row)
            codes[row] = " ".join(dict.fromkeys(entry["code"] for entry in found))
            messages[row] = messages[row] or neutral(found[0]["message"])
    stamps: dict[int | None, str] = {None: ""}
    for moment in set(verdicts["applied_at"]) - {None}:
        at = datetime.fromtimestamp(moment / 1e6, UTC)
        stamps[moment] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    numbers = verdicts["pass_no"]
    return [
        plan["line"],
        plan["line_end"],
        plan["record"],
        plan["key"],
        plan["key_type"],
        plan["echo"],
        plan["op"],
        verdicts["status"],
        verdicts["changed"],
        codes,
        messages,
        verdicts["pass_id"],
        [1 if number else 0 for number in numbers],
        verdicts["revision"],
        verdicts["apple"],
        verdicts["google"],
        verdicts["notification"],
        [stamps[moment] for moment in verdicts["applied_at"]],
    ]


def _write_problems(
    plan: dict[str, list[Any]],
    verdicts: dict[str, list[Any]],
    counts: Counts,
    *,
    issues_csv: Any,
    rejects: IO[bytes],
    original: IO[bytes],
    reject_line: int,
) -> int:
    """Write the issues of a chunk and the bytes of its records that were not applied; return the next reject line."""
    for row, status in enumerate(verdicts["status"]):
        here: int | str = ""
        if status in _NOT_APPLIED:
            original.seek(plan["offset"][row])
            data = original.read(plan["length"][row])
            rejects.write(data)
            here = reject_line
            reject_line += plan["line_end"][row] - plan["line"][row] + 1
            counts.rejects += 1
        if plan["issues"][row] or verdicts["issues"][row]:
            place = {name: plan[name][row] for name in ("line", "line_end", "record", "key", "echo")}
            for entry in _found(plan, verdicts, row):
                _count(counts, entry["code"], place["line"])
                issues_csv.writerow(_issue_row(entry, place, here))
    return reject_line


def _found(plan: dict[str, list[Any]], verdicts: dict[str, list[Any]], row: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for source in (plan["issues"][row], verdicts["issues"][row]):
        if source:
            found += orjson.loads(source)
    return found


def _issue_row(entry: Mapping[str, Any], place: Mapping[str, Any], reject_line: int | str) -> list[Any]:
    code = CATALOGUE[entry["code"]]
    return [
        place["line"],
        place["line_end"],
        place.get("record", ""),
        place.get("key", ""),
        place.get("echo", ""),
        entry["severity"],
        entry["code"],
        entry["column"],
        neutral(entry["value"]),
        neutral(entry["message"]),
        neutral(entry["hint"]),
        "true" if code.retryable else "false",
        code.owner.value,
        reject_line,
    ]


def neutral(text: str | None) -> str:
    """Return text that no spreadsheet takes for a formula."""
    if not text:
        return ""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _count(counts: Counts, code: str, line: int) -> None:
    counts.issues += 1
    counts.codes[code] += 1
    lines = counts.first_lines.setdefault(code, [])
    if len(lines) < _FIRST_LINES:
        lines.append(line)


def _written(path: Path) -> Written:
    return Written(size=path.stat().st_size, sha256=file_sha256(path))

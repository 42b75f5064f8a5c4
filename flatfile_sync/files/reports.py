"""The CSV files of a result set: written chunk by chunk from plan and verdict files; runs in worker processes.

Machine columns (`_key`, `_echo`) are exact, so that they join; free text is neutralised against spreadsheet formulas.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flatfile_sync.domain.catalogue import CATALOGUE
from flatfile_sync.domain.states import Owed, RecordStatus
from flatfile_sync.files.columns import file_sha256, read_table
from flatfile_sync.files.report_columns import ISSUES, RESULT, names

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width forms count too
_NOT_APPLIED: Final = pa.array([RecordStatus.REJECTED, RecordStatus.SKIPPED, RecordStatus.UNPROCESSED], pa.string())
_FROM_PLAN: Final = ("record", "line", "line_end", "offset", "length", "key", "key_type", "echo", "op", "issues")
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
        result.open("wb") as result_file,
        issues.open("w", encoding="utf-8", newline="") as issues_file,
        rejects.open("wb") as rejects_file,
        source.open("rb") as original,
    ):
        issues_csv = csv.writer(issues_file, lineterminator="\n")
        result_file.write(",".join(names(RESULT)).encode() + b"\n")
        issues_csv.writerow(names(ISSUES))
        for entry in file_issues:
            # What concerns the file as a whole stands on the line of the header.
            line = entry.get("line") or 1
            _count(counts, entry["code"], line)
            issues_csv.writerow(_issue_row(entry, {"line": line, "line_end": line}, ""))
        rejects_file.write(header)
        reject_line = 1 + header.count(b"\n") if header else 1
        for plan, verdicts in _chunks(parts):
            troubled = _troubled(plan, verdicts)
            _count_words(verdicts, counts)
            result_file.write(_csv(_result_table(plan, verdicts, troubled)))
            reject_line = _write_problems(
                troubled,
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


def _chunks(parts: Parts) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield each main chunk's plan and verdicts in record order; tail verdicts are put in their places."""
    tails = [read_table(verdict) for _, verdict in parts.tail]
    places = [table["record"].to_numpy() for table in tails]
    for plan_file, verdict_file in parts.main:
        plan = read_table(plan_file, _FROM_PLAN)
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
        if not verdicts["record"].equals(plan["record"]):
            raise AssertionError(f"{plan_file.name}: a record has no verdict, or more than one")
        yield plan, verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """A record with issues, or one that was not applied: the few of a chunk that are looked at one by one."""

    row: int
    place: Mapping[str, Any]
    rejected: bool
    found: Sequence[Mapping[str, Any]]


def _troubled(plan: pa.Table, verdicts: pa.Table) -> list[_Trouble]:
    rejected = pc.is_in(verdicts["status"], value_set=_NOT_APPLIED)
    noted = pc.or_(pc.is_valid(plan["issues"]), pc.is_valid(verdicts["issues"]))
    rows = np.flatnonzero(pc.or_(rejected, noted).to_numpy())
    chosen = pa.array(rows)
    places, later = plan.take(chosen).to_pylist(), verdicts["issues"].take(chosen).to_pylist()
    return [
        _Trouble(
            row=row,
            place=place,
            rejected=turned_down,
            found=[entry for source in (place["issues"], issues) if source for entry in orjson.loads(source)],
        )
        for row, place, issues, turned_down in zip(
            rows.tolist(), places, later, rejected.take(chosen).to_pylist(), strict=True
        )
    ]


def _count_words(verdicts: pa.Table, counts: Counts) -> None:
    """Count what the verdicts of a chunk say."""
    for name, counter in (("status", counts.statuses), ("notification", counts.notifications)):
        counter.update(_words(verdicts[name]))
    for platform in ("apple", "google"):
        queued = _words(verdicts[platform]).get(Owed.QUEUED.value, 0)
        if queued:
            counts.owed[platform] += queued


def _words(column: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist()}


def _result_table(plan: pa.Table, verdicts: pa.Table, troubled: Sequence[_Trouble]) -> pa.Table:
    """Return the columns of `result.csv` for one chunk."""
    codes: Any = pa.nulls(plan.num_rows, pa.string())
    messages: Any = verdicts["message"]
    if any(trouble.found for trouble in troubled):
        codes, messages = [""] * plan.num_rows, messages.to_pylist()
        for trouble in troubled:
            if trouble.found:
                codes[trouble.row] = " ".join(dict.fromkeys(entry["code"] for entry in trouble.found))
                messages[trouble.row] = messages[trouble.row] or neutral(trouble.found[0]["message"])
    moments = pc.unique(verdicts["applied_at"])
    columns: dict[str, Any] = {
        **{f"_{name}": plan[name] for name in ("line", "line_end", "record", "key", "key_type", "echo", "op")},
        **{f"_{name}": verdicts[name] for name in ("status", "changed", "pass_id", "revision", "apple", "google")},
        "_notification": verdicts["notification"],
        "_link": verdicts["link"],
        "_codes": codes,
        "_message": messages,
        "_passes": pc.cast(pc.not_equal(verdicts["pass_no"], 0), pa.int8()),
        "_applied_at": pa.array(map(_stamp, moments.to_pylist())).take(pc.index_in(verdicts["applied_at"], moments)),
    }
    return pa.table([columns[name] for name in names(RESULT)], names=names(RESULT))


def _stamp(moment: int | None) -> str:
    """Return microseconds as ISO 8601 in UTC with milliseconds."""
    if moment is None:
        return ""
    at = datetime.fromtimestamp(moment / 1e6, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _csv(table: pa.Table) -> bytes:
    """Return a table as RFC 4180 lines with quotes only where they are needed.

    Arrow writes twenty times faster than the csv module, but either quotes every text or refuses a text that needs
    quotes; then the csv module writes the chunk.
    """
    sink = pa.BufferOutputStream()
    try:
        pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False, quoting_style="none"))
    except pa.ArrowInvalid:
        text = io.StringIO(newline="")
        columns = (column.to_pylist() for column in table.columns)
        csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
        return text.getvalue().encode()
    return bytes(sink.getvalue())


def _write_problems(
    troubled: Sequence[_Trouble],
    counts: Counts,
    *,
    issues_csv: Any,
    rejects: IO[bytes],
    original: IO[bytes],
    reject_line: int,
) -> int:
    """Write the issues of a chunk and the bytes of its records that were not applied; return the next reject line."""
    for trouble in troubled:
        place = trouble.place
        here: int | str = ""
        if trouble.rejected:
            original.seek(place["offset"])
            rejects.write(original.read(place["length"]))
            here = reject_line
            reject_line += place["line_end"] - place["line"] + 1
            counts.rejects += 1
        for entry in trouble.found:
            _count(counts, entry["code"], place["line"])
            issues_csv.writerow(_issue_row(entry, place, here))
    return reject_line


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

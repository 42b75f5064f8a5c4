"""Columns that say what to do, beside the data: operation, pass type, status, corrections, messages, consent."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final, Protocol

import orjson

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.columns import CONSENT_PARTS, Column, Role
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Feed, IdentifierKind, Project
from flatfile_sync.domain.states import Operation, PassStatus, Purpose

_YES: Final = frozenset({"true", "1", "yes", "opt-in", "opt_in"})
_NO: Final = frozenset({"false", "0", "no", "opt-out", "opt_out"})
_EXAMPLE: Final = "2026-08-31T18:30:00+02:00"
# PostgreSQL indexes at most 2,704 bytes of a row (a third of a page); a character may take four.
_LONGEST_IDENTIFIER: Final = 400
# What a spreadsheet makes of a long number, and of any number that passed through a float.
_SCIENTIFIC: Final = re.compile(r"\d([.,]\d+)?[eE]\+?\d+")
_FLOATED: Final = re.compile(r"\d+[.,]0")


class Problems(Protocol):
    """Where issues of rows are collected."""

    def add(self, row: int, problem: Issue) -> None:
        """Note an issue of a row."""
        ...

    def record(self, row: int) -> int:
        """Return the record number of a row."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Per row: the operation, the pass type if one is named, and a JSON object of all else, or None."""

    ops: list[str]
    pass_types: list[str | None]
    extras: list[str | None]


class Instructions:
    """Takes the instruction columns of a chunk one by one."""

    def __init__(self, project: Project, feed: Feed, size: int) -> None:
        self._project, self._feed, self._size = project, feed, size
        self._ops: list[str] = [feed.operation.value] * size
        self._pass_types: list[str | None] = [None] * size
        self._extras: dict[int, dict[str, Any]] = {}
        self._consents: dict[int, dict[str, dict[str, Any]]] = {}

    def take(
        self, column: Column, cells: Sequence[str | None], marks: Sequence[bool] | None, problems: Problems
    ) -> None:
        """Read one column; unquoted and quoted empty cells, and null tokens, say nothing."""
        reader = self._readers().get(column.role)
        if reader is None:
            return
        for row, cell in enumerate(cells):
            if cell and not (marks is not None and marks[row]):
                reader(column, row, cell, problems)

    def finish(self, problems: Problems) -> Rows:
        """Return what was read, after the checks that need the whole row."""
        for row, consents in self._consents.items():
            # An opt-in whose moment cannot be read might be older than an opt-out: it is none. An opt-out stands.
            given = [
                {name: value for name, value in entry.items() if value is not None}
                for entry in consents.values()
                if entry.get("granted") is False or (entry.get("granted") and entry.get("at", "") is not None)
            ]
            if given:
                self._extra(row)["consents"] = given
        if self._feed.purpose is not None:
            for extra in self._extras.values():
                if "messages" in extra:
                    extra.setdefault("notification", {})["purpose"] = self._feed.purpose.value
        if self._feed.operation is Operation.NOTIFY or self._feed.allowed_operations:
            for row, op in enumerate(self._ops):
                if op == Operation.NOTIFY and "messages" not in self._extras.get(row, {}):
                    problems.add(row, issue("C03", record=problems.record(row), column="notification.message"))
        extras = [self._extras.get(row) for row in range(self._size)] if self._extras else [None] * self._size
        return Rows(
            ops=self._ops,
            pass_types=self._pass_types,
            extras=[None if extra is None else orjson.dumps(extra).decode() for extra in extras],
        )

    def _readers(self) -> dict[Role, Callable[[Column, int, str, Problems], None]]:
        return {
            Role.OPERATION: self._operation,
            Role.PASS_TYPE: self._pass_type,
            Role.STATUS: self._status,
            Role.EXPIRES_AT: self._expires_at,
            Role.SET_IDENTIFIER: self._set_identifier,
            Role.MESSAGE: self._message,
            Role.NOTIFICATION: self._notification,
            Role.CONSENT: self._consent,
        }

    def _extra(self, row: int) -> dict[str, Any]:
        return self._extras.setdefault(row, {})

    def _operation(self, column: Column, row: int, cell: str, problems: Problems) -> None:
        allowed = self._feed.allowed_operations or (self._feed.operation,)
        if cell in allowed:
            self._ops[row] = cell
            return
        expected = ", ".join(allowed)
        name = self._feed.name
        problems.add(
            row, issue("C02", record=problems.record(row), column=column.name, value=cell, feed=name, expected=expected)
        )

    def _pass_type(self, column: Column, row: int, cell: str, problems: Problems) -> None:
        known = [pass_type.name for pass_type in self._project.pass_types]
        if _member(column, row, cell, known, problems):
            self._pass_types[row] = cell

    def _status(self, column: Column, row: int, cell: str, problems: Problems) -> None:
        if _member(column, row, cell, [status.value for status in PassStatus], problems):
            self._extra(row)["status"] = cell

    def _expires_at(self, column: Column, row: int, cell: str, problems: Problems) -> None:
        moment = _moment(column, row, cell, problems)
        if moment is not None:
            self._extra(row)["expires_at"] = moment

    def _set_identifier(self, column: Column, row: int, cell: str, problems: Problems) -> None:
        kind = self._project.model.identifier(column.part)
        problem = identifier_problem(kind, column.name, cell) if kind is not None else None
        if problem is not None:
            problems.add(row, problem(problems.record(row)))
        else:
            self._extra(row).setdefault("set_ids", {})[column.part] = cell

    def _message(self, column: Column, row: int, cell: str, _problems: Problems) -> None:
        self._extra(row).setdefault("messages", {})[column.part] = cell

    def _notification(self, column: Column, row: int, cell: str, problems: Problems) -> None:
        entry = self._extra(row).setdefault("notification", {})
        if column.part == "purpose":
            if _member(column, row, cell, [purpose.value for purpose in Purpose], problems):
                entry["purpose"] = cell
        else:
            entry[column.part] = _moment(column, row, cell, problems)

    def _consent(self, column: Column, row: int, cell: str, problems: Problems) -> None:
        purpose, _, part = column.part.rpartition(".")
        if part not in CONSENT_PARTS:
            purpose, part = column.part, "granted"
        entry = self._consents.setdefault(row, {}).setdefault(purpose, {"purpose": purpose})
        if part == "at":
            entry["at"] = _moment(column, row, cell, problems)
        elif part != "granted":
            entry[part] = cell
        elif cell.lower() in _YES | _NO:
            entry["granted"] = cell.lower() in _YES
        else:
            expected: dict[str, Any] = {"expected": "an opt-in or an opt-out", "example": "opt-in or opt-out"}
            problems.add(row, issue("V01", record=problems.record(row), column=column.name, value=cell, **expected))


def identifier_problem(kind: IdentifierKind, column: str, cell: str) -> Callable[[int], Issue] | None:
    """Return what makes the issue of a record with this identifier, or None if it is sound."""
    pii = kind.pii or kind.person
    if len(cell) > _LONGEST_IDENTIFIER:
        told: dict[str, Any] = {"found": len(cell), "expected": f"at most {_LONGEST_IDENTIFIER} are allowed"}
        return lambda record: issue("V04", record=record, column=column, value=cell, pii=pii, **told)
    matches = kind.pattern is None or re.fullmatch(kind.pattern, cell) is not None
    damaged = _SCIENTIFIC.fullmatch(cell) or (not matches and _FLOATED.fullmatch(cell))
    if damaged:
        return lambda record: issue("V08", record=record, column=column, value=cell, pii=pii)
    if not matches:
        return lambda record: issue("V05", record=record, column=column, value=cell, pii=pii, expected=kind.pattern)
    return None


def _member(column: Column, row: int, cell: str, allowed: Sequence[str], problems: Problems) -> bool:
    if cell in allowed:
        return True
    near = get_close_matches(cell, allowed, 1, 0.6)
    hint = f"Did you mean {near[0]!r}?" if near else "Use one of the allowed values."
    record = problems.record(row)
    expected = ", ".join(allowed)
    problems.add(row, issue("V06", record=record, column=column.name, value=cell, expected=expected, suggestion=hint))
    return False


def _moment(column: Column, row: int, cell: str, problems: Problems) -> str | None:
    """Return ISO 8601 in UTC; a moment without a zone is an issue, because it names no moment."""
    try:
        found = datetime.fromisoformat(cell)
        if found.tzinfo is not None:
            return found.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        pass  # the first and last hours of the calendar may have no UTC
    expected: dict[str, Any] = {"expected": "a date and time with its zone", "example": _EXAMPLE}
    problems.add(row, issue("V01", record=problems.record(row), column=column.name, value=cell, **expected))
    return None

"""Cells of one column to canonical values, a whole column in one pydantic call.

The types and constraints are those of the Frictionless Table Schema. Distinct values are validated once per chunk.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError
from pydantic import Field as Bounds
from pydantic_core import PydanticCustomError

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.merge import Value
from flatfile_sync.domain.project import Field, OnError

_INT64: Final = 2**63
_WORDS: Final = {
    "string": ("text", "text"),
    "integer": ("a whole number", "120"),
    "number": ("a number", "12.50"),
    "boolean": ("true or false", "true"),
    "date": ("a date", "2026-08-31"),
    "datetime": ("a date and time", "2026-08-31T18:30:00Z"),
    "time": ("a time", "18:30:00"),
    "year": ("a year", "2026"),
}
# One address, no spaces, a dot in the domain: the check a typing error fails. Delivery is not our business.
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
# What may stand around a number that is not bare: a currency, a percent sign, spaces.
_AROUND: Final = re.compile(r"^[^\d+.-]+|[^\d.]+$")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a cell fails: issue code and the details its sentences need."""

    code: str
    details: dict[str, object]


def check_column(field: Field, cells: Sequence[str]) -> tuple[list[Value | None], dict[int, Wrong]]:
    """Return canonical values of distinct cells (None where wrong) and what is wrong, by position."""
    adapter = _adapter(field)
    try:
        return list(adapter.validate_python(cells)), {}
    except ValidationError as error:
        wrong = {int(entry["loc"][0]): _wrong(field, entry) for entry in error.errors(include_url=False)}
    sound = [cell for place, cell in enumerate(cells) if place not in wrong]
    values = iter(adapter.validate_python(sound))
    return [None if place in wrong else next(values) for place in range(len(cells))], wrong


def as_issue(field: Field, wrong: Wrong, *, record: int, value: str) -> Issue:
    """Return the issue of one cell; a field whose policy is `drop` gets the warning V09."""
    code = wrong.code
    found = issue(code, record=record, column=field.name, value=value, pii=field.pii, **wrong.details)
    if field.on_error is OnError.REJECT:
        return found
    told: dict[str, Any] = {"reason": found.message, "remedy": found.hint}
    return issue("V09", record=record, column=field.name, value=value, pii=field.pii, **told)


def _words(field: Field) -> tuple[str, str]:
    expected, example = _WORDS[field.type]
    if field.type == "string" and field.format != "default":
        return f"text of format {field.format}", {"email": "name@example.com"}.get(field.format, field.format)
    if field.format not in {"default", "any"}:
        return f"{expected} of the form {field.format}", field.format
    return expected, example


def _wrong(field: Field, entry: Any) -> Wrong:
    """Return our code for pydantic's error type."""
    kind, limits, rules = entry["type"], entry.get("ctx", {}), field.constraints
    if kind in {"greater_than_equal", "less_than_equal", "greater_than", "less_than", "our_range"}:
        bounds = (
            ("at least", rules.minimum),
            ("at most", rules.maximum),
            ("more than", rules.exclusive_minimum),
            ("less than", rules.exclusive_maximum),
        )
        stated = ", ".join(f"{word} {limit}" for word, limit in bounds if limit is not None)
        beyond = next(iter(limits.values()), None) in {_INT64, -_INT64}
        return Wrong("V03", {"expected": "whole numbers of 64 bits" if beyond else stated})
    if kind in {"string_too_short", "string_too_long"}:
        word = "at least" if kind == "string_too_short" else "at most"
        limit = limits.get("min_length", limits.get("max_length"))
        return Wrong("V04", {"found": len(str(entry["input"])), "expected": f"{word} {limit} are allowed"})
    if kind == "our_pattern":
        return Wrong("V05", {"expected": rules.pattern})
    if kind == "our_enum":
        allowed = list(rules.enum or ())
        near = get_close_matches(str(entry["input"]), allowed, 1, 0.6)
        hint = f"Did you mean {near[0]!r}?" if near else "Use one of the allowed values."
        return Wrong("V06", {"expected": ", ".join(allowed), "suggestion": hint})
    expected, example = _words(field)
    return Wrong("V01", {"expected": expected, "example": example})


@lru_cache(maxsize=512)
def _adapter(field: Field) -> TypeAdapter[list[Value]]:
    rules = field.constraints
    steps: list[Any] = []
    if field.type == "string":
        kind: Any = str
        if rules.min_length is not None or rules.max_length is not None:
            steps.append(Bounds(min_length=rules.min_length, max_length=rules.max_length))
        if field.format != "default":
            steps.append(AfterValidator(_STRING_FORMATS[field.format]))
    elif field.type in {"integer", "year"}:
        kind = int
        steps += [BeforeValidator(_digits(field)), Bounds(ge=-_INT64, lt=_INT64), _range(rules)]
    elif field.type == "number":
        kind = Decimal
        steps += [BeforeValidator(_decimal(field)), _range(rules)]
    else:
        kind = Any
        steps.append(AfterValidator(_parser(field)))
        if field.type != "boolean" and any(
            bound is not None
            for bound in (rules.minimum, rules.maximum, rules.exclusive_minimum, rules.exclusive_maximum)
        ):
            steps.append(AfterValidator(_text_range(field)))
    if rules.pattern is not None:
        steps.append(BeforeValidator(_pattern(rules.pattern)))
    if rules.enum is not None:
        steps.append(BeforeValidator(_enum(frozenset(rules.enum))))
    if field.type == "number":
        steps.append(AfterValidator(canonical_decimal))
    return TypeAdapter(list[Annotated[(kind, *steps)]] if steps else list[kind])


def _range(rules: Any) -> Any:
    return Bounds(ge=rules.minimum, le=rules.maximum, gt=rules.exclusive_minimum, lt=rules.exclusive_maximum)


def canonical_decimal(value: Decimal) -> str:
    """Return a number as its one text: no exponent, no trailing zeros, no minus zero."""
    # Not `normalize`: it rounds to the 28 digits of the decimal context.
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    text = text.lstrip("-").lstrip("0") or "0"
    text = f"0{text}" if text.startswith(".") else text
    return f"-{text}" if value < 0 else text


def _fail() -> PydanticCustomError:
    return PydanticCustomError("our_type", "not a value of the field's type")


def _digits(field: Field) -> Callable[[str], str]:
    shape = re.compile(r"\d{4}" if field.type == "year" else r"[+-]?\d+")

    def digits(text: str) -> str:
        plain = text.replace(field.group_char, "") if field.group_char else text
        if not field.bare_number:
            plain = _AROUND.sub("", plain)
        if not shape.fullmatch(plain) or not plain.isascii():
            raise _fail()
        return plain

    return digits


def _decimal(field: Field) -> Callable[[str], Decimal]:
    shape = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")

    def decimal(text: str) -> Decimal:
        plain = text.replace(field.group_char, "") if field.group_char else text
        if field.decimal_char != ".":
            if "." in plain:
                raise _fail()
            plain = plain.replace(field.decimal_char, ".")
        if not field.bare_number:
            plain = _AROUND.sub("", plain)
        if not shape.fullmatch(plain) or not plain.isascii():
            raise _fail()
        return Decimal(plain)

    return decimal


def _parser(field: Field) -> Callable[[Any], Value]:
    def boolean(text: str) -> bool:
        if text in field.true_values:
            return True
        if text in field.false_values:
            return False
        raise _fail()

    def moment(text: str) -> str:
        try:
            return _canonical_moment(field, text)
        except (ValueError, OverflowError):  # the first and last hours of the calendar may have no UTC
            raise _fail() from None

    return boolean if field.type == "boolean" else moment


def _canonical_moment(field: Field, text: str) -> str:
    """Return ISO text; a datetime with a zone is turned to UTC and ends in `Z`."""
    pattern = field.format not in {"default", "any"}
    if field.type == "date":
        day = datetime.strptime(text, field.format).date() if pattern else date.fromisoformat(text)  # noqa: DTZ007 - a date has no zone
        return day.isoformat()
    if field.type == "time":
        clock = datetime.strptime(text, field.format).time() if pattern else time.fromisoformat(text)  # noqa: DTZ007 - as above
        return clock.isoformat()
    found = datetime.strptime(text, field.format) if pattern else datetime.fromisoformat(text)  # noqa: DTZ007 - kept naive on purpose
    if len(text) <= len("2026-08-31") and not pattern:
        raise ValueError(text)
    if found.tzinfo is None:
        return found.isoformat()
    return found.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text_range(field: Field) -> Callable[[str], str]:
    rules = field.constraints
    low, high = rules.minimum, rules.maximum
    above, below = rules.exclusive_minimum, rules.exclusive_maximum

    def within(text: str) -> str:
        fits = (
            (low is None or text >= str(low))
            and (high is None or text <= str(high))
            and (above is None or text > str(above))
            and (below is None or text < str(below))
        )
        if not fits:
            raise PydanticCustomError("our_range", "outside the range")
        return text

    return within


def _pattern(pattern: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def matches(text: str) -> str:
        if not compiled.fullmatch(text):
            raise PydanticCustomError("our_pattern", "does not match")
        return text

    return matches


def _enum(allowed: frozenset[str]) -> Callable[[str], str]:
    def member(text: str) -> str:
        if text not in allowed:
            raise PydanticCustomError("our_enum", "not allowed")
        return text

    return member


def _matching(shape: re.Pattern[str]) -> Callable[[str], str]:
    def matches(text: str) -> str:
        if not shape.fullmatch(text):
            raise _fail()
        return text

    return matches


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise _fail() from None


def _binary(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _fail() from None
    return text


_STRING_FORMATS: Final[dict[str, Callable[[str], str]]] = {
    "email": _matching(_EMAIL),
    "uri": _matching(_URI),
    "uuid": _uuid,
    "binary": _binary,
}

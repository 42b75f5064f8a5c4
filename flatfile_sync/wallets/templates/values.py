"""Single values: what a literal must be, and what the text of a Liquid output becomes where no text is wanted."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from html import escape, unescape
from typing import Any, Final
from zoneinfo import ZoneInfo

from flatfile_sync.wallets.templates.cleaning import MOST_CHARACTERS, clean
from flatfile_sync.wallets.templates.links import LINKED, url_problem, without_bad_links
from flatfile_sync.wallets.templates.shapes import Kind, Value

ABSENT: Final = object()
"""No value: its key is left out."""

_COLOUR: Final = re.compile(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)")
_HEX_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TAG: Final = re.compile(r"<[^<>]*>")
_INT32: Final = 2**31
_INT64: Final = 2**63
_BYTE: Final = 255
# A float holds every integer of 15 digits exactly, and none of more than 308.
_EXACT_DIGITS: Final = 15
_MOST_DIGITS: Final = 300
_END_OF_DAY: Final = time(23, 59)
_WANTED: Final = {
    Kind.TEXT: "text",
    Kind.HTML: "text",
    Kind.CODE: "text",
    Kind.BOOLEAN: "true or false",
    Kind.NUMBER: "a number",
    Kind.INT32: "an integer of 32 bits",
    Kind.INT64: 'an integer of 64 bits as text, like "12500000"',
    Kind.COUNT: "an integer from 0 on",
    Kind.MOMENT: "a date and time like 2026-12-31T18:30:00+01:00",
    Kind.COLOUR: "a colour like rgb(12, 34, 56)",
    Kind.HEX_COLOUR: "a colour like #0c2238",
    Kind.URL: "a URL",
    Kind.LINK: "a URL",
    Kind.APP: "a URL",
    Kind.PICTURE: "image: and a file of the folder, or a URL",
    Kind.FIELD_VALUE: "text or a number",
}
_ASKABLE: Final = frozenset({Kind.BOOLEAN, Kind.NUMBER, Kind.INT32, Kind.COUNT})

Converter = Callable[[str], tuple[Any, bool]]
"""Rendered text -> the value, or `ABSENT`, and whether something of the text was lost on the way."""


def wanted(shape: Value) -> str:
    """Return what a value of the shape is, as words that follow `expected`."""
    return f"one of {', '.join(shape.allowed)}" if shape.allowed else _WANTED.get(shape.kind, "JSON")


def fits(shape: Value, value: Any) -> bool:
    """Return whether a literal is a value of the shape; URLs and pictures are looked at elsewhere."""
    kind = shape.kind
    if kind is Kind.ANY:
        return True
    if kind is Kind.FIELD_VALUE:
        return isinstance(value, str) or _is_number(value)
    if kind in _ASKABLE:
        return _fits_askable(kind, value)
    if not isinstance(value, str):
        return False
    return value in shape.allowed if shape.allowed else kind not in _READERS or _READERS[kind](value) is not ABSENT


def _fits_askable(kind: Kind, value: Any) -> bool:
    if kind is Kind.BOOLEAN:
        return isinstance(value, bool)
    if not _is_number(value):
        return False
    return kind is Kind.NUMBER or (isinstance(value, int) and _in_range(kind, value))


def needs_single_output(shape: Value) -> bool:
    """Return whether Liquid may stand for the value only as exactly one output, as it is no text."""
    return shape.kind in _ASKABLE


def converter(shape: Value, *, zone: str = "UTC", end_of_day: bool = False, hosts: Sequence[str] = ()) -> Converter:
    """Return what makes a value of rendered text, or `ABSENT` of text that is none; empty text is never lost.

    A date where a moment is wanted becomes the beginning of that day in the zone, or its end.
    """
    kind = shape.kind
    if kind is Kind.HTML:
        return lambda text: _html(text, hosts)
    if kind is Kind.MOMENT:
        day, zone_info = (_END_OF_DAY if end_of_day else time()), ZoneInfo(zone)
        return _reading(lambda text: _moment(text, zone_info, day))
    if kind in LINKED:
        return _reading(lambda text: text if text and url_problem(text, kind, hosts) is None else ABSENT)
    return _limited(shape)


def _limited(shape: Value) -> Converter:
    if shape.allowed:
        return _reading(lambda text: text if text in shape.allowed else ABSENT)
    most = shape.most
    if most is not None:
        return _reading(lambda text: text if 0 < _size(text) <= most else ABSENT)
    return _reading(_READERS[shape.kind]) if shape.kind in _READERS else _text


def _reading(reader: Callable[[str], Any]) -> Converter:
    def convert(text: str) -> tuple[Any, bool]:
        value = reader(text)
        return value, value is ABSENT and bool(text.strip())

    return convert


def _text(text: str) -> tuple[Any, bool]:
    found = clean(text)
    return found, len(text) > MOST_CHARACTERS


def _html(text: str, hosts: Sequence[str]) -> tuple[Any, bool]:
    """Return text whose links lead where they may; too long a text is cut and has none."""
    if len(text) > MOST_CHARACTERS:
        return escape(clean(unescape(_TAG.sub("", text)))), True
    return without_bad_links(clean(text), hosts)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text.strip().lower(), ABSENT)


def _number(text: str) -> Any:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return ABSENT
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        return ABSENT
    whole = value.adjusted() < _EXACT_DIGITS and value == value.to_integral_value()
    return int(value) if whole else float(value)


def _whole(text: str) -> int | None:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    small = value.is_finite() and value.adjusted() < len(str(_INT64))
    return int(value) if small and value == value.to_integral_value() else None


def _integer(kind: Kind) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = _whole(text)
        return value if value is not None and _in_range(kind, value) else ABSENT

    return read


def _int64(text: str) -> Any:
    value = _whole(text)
    return str(value) if value is not None and -_INT64 <= value < _INT64 else ABSENT


def _colour(text: str) -> Any:
    found = _COLOUR.fullmatch(text.strip())
    return text.strip() if found and all(int(part) <= _BYTE for part in found.groups()) else ABSENT


def _hex_colour(text: str) -> Any:
    return text.strip() if _HEX_COLOUR.fullmatch(text.strip()) else ABSENT


def _iso(text: str) -> Any:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return ABSENT
    return text


def _moment(text: str, zone: ZoneInfo, day: time) -> Any:
    if _iso(text) is ABSENT:
        return ABSENT
    found = datetime.fromisoformat(text)
    if _DATE.fullmatch(text):
        found = datetime.combine(found, day)
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    offset = found.utcoffset()
    if offset is not None and offset.total_seconds() % 60:
        # Local mean time of the nineteenth century, which no platform reads.
        return ABSENT
    return found.isoformat(timespec="seconds")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _in_range(kind: Kind, value: int) -> bool:
    return 0 <= value < _INT32 if kind is Kind.COUNT else -_INT32 <= value < _INT32


_READERS: Final[dict[Kind, Callable[[str], Any]]] = {
    Kind.BOOLEAN: _boolean,
    Kind.NUMBER: _number,
    Kind.INT32: _integer(Kind.INT32),
    Kind.COUNT: _integer(Kind.COUNT),
    Kind.INT64: _int64,
    Kind.MOMENT: _iso,
    Kind.COLOUR: _colour,
    Kind.HEX_COLOUR: _hex_colour,
}

"""Cells that are canonical as they stand, recognised a whole column at a time.

Of a million cells nearly all are: `120`, `12.5`, a name without a quote. What is not sure here goes through `values`,
which alone decides what is right; so a rule may be too narrow, never too wide.
"""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from flatfile_sync.domain.project import Field

# Patterns are RE2: `$` is the end of the text only. Short enough for 64 bits, and for a float to be compared with.
_SHAPES: Final = {
    "integer": r"^(0|-?[1-9][0-9]{0,14})$",
    "year": r"^[1-9][0-9]{3}$",
    "number": r"^(0|-?[1-9][0-9]{0,11}|-?(0|[1-9][0-9]{0,11})\.[0-9]{0,11}[1-9])$",
}
_ESCAPED_IN_JSON: Final = r'["\\\x00-\x1f]'
# Relative to a bound: nearer than this a float does not tell on which side a decimal number lies.
_MARGIN: Final = 1e-9


def plain_json(field: Field, cells: pa.Array) -> pa.Array:
    """Return the JSON text of each cell whose canonical value is certain; null for all others.

    `cells` are text, empty ones not among them.
    """
    rules = field.constraints
    if rules.pattern is not None or rules.enum is not None or field.format != "default":
        return pa.nulls(len(cells), pa.string())
    if field.type == "string":
        sure = pc.invert(pc.match_substring_regex(cells, _ESCAPED_IN_JSON))
        if rules.min_length is not None or rules.max_length is not None:
            sure = _and(sure, _within(pc.utf8_length(cells), rules.min_length, rules.max_length, margin=0))
        return pc.if_else(sure, pc.binary_join_element_wise('"', cells, '"', ""), None)
    if field.type not in _SHAPES or field.group_char or field.decimal_char != "." or not field.bare_number:
        return pa.nulls(len(cells), pa.string())
    plain = pc.if_else(pc.match_substring_regex(cells, _SHAPES[field.type]), cells, None)
    lows = [bound for bound in (rules.minimum, rules.exclusive_minimum) if bound is not None]
    highs = [bound for bound in (rules.maximum, rules.exclusive_maximum) if bound is not None]
    if lows or highs:
        low = max(map(float, lows), default=None)
        high = min(map(float, highs), default=None)
        plain = pc.if_else(_within(pc.cast(plain, pa.float64()), low, high, margin=_MARGIN), plain, None)
    return pc.binary_join_element_wise('"', plain, '"', "") if field.type == "number" else plain


def _within(numbers: pa.Array, low: float | None, high: float | None, *, margin: float) -> Any:
    """Return which numbers lie between the bounds for certain."""
    sure: Any = True
    if low is not None:
        sure = pc.greater_equal(numbers, low + margin * (abs(low) + 1))
    if high is not None:
        sure = _and(sure, pc.less_equal(numbers, high - margin * (abs(high) + 1)))
    return sure


def _and(one: Any, other: Any) -> Any:
    return other if one is True else pc.and_(one, other)

"""What is recognised as plain must be exactly what the column check would have made of it."""

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatfile_sync.domain.project import Constraints
from flatfile_sync.pipeline.plain import plain_json
from flatfile_sync.pipeline.values import check_column
from tests.builders import field

NUMBERS = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(min_value=-200, max_value=200, places=2).map(str),
    st.text("0123456789.-+eE ", min_size=1, max_size=8),
)
FIELDS = (
    field("n", "integer"),
    field("n", "integer", constraints=Constraints(minimum=0, maximum=100)),
    field("n", "integer", constraints=Constraints(exclusive_minimum=-5, exclusive_maximum=100)),
    field("n", "number"),
    field("n", "number", constraints=Constraints(minimum=0, exclusive_maximum=100)),
    field("n", "number", decimal_char=","),
    field("n", "year"),
    field("n", "year", constraints=Constraints(minimum=1900)),
)


def assert_agrees(rule, cells):
    values, wrong = check_column(rule, cells)
    for place, text in enumerate(plain_json(rule, pa.array(cells, pa.string())).to_pylist()):
        if text is not None:
            assert place not in wrong
            assert text == orjson.dumps(values[place]).decode()


@pytest.mark.parametrize("rule", FIELDS, ids=lambda rule: f"{rule.type} {rule.decimal_char}")
@settings(deadline=None)  # the first call compiles the patterns
@given(cells=st.lists(NUMBERS, max_size=20))
def test_a_plain_number_is_what_the_column_check_makes_of_it(rule, cells):
    assert_agrees(rule, cells)


@pytest.mark.parametrize("lengths", [(None, None), (2, None), (None, 3), (2, 3)])
@settings(deadline=None)  # the first call compiles the patterns
@given(cells=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), max_size=20))
def test_a_plain_text_is_what_the_column_check_makes_of_it(lengths, cells):
    assert_agrees(field("t", constraints=Constraints(min_length=lengths[0], max_length=lengths[1])), cells)


def test_what_most_cells_look_like_is_plain():
    for rule, cells in (
        (field("n", "integer", constraints=Constraints(minimum=0)), ["1", "7", "120"]),
        (field("n", "number", constraints=Constraints(maximum=100)), ["12.5", "-3", "0.01"]),
        (field("t", constraints=Constraints(max_length=5)), ["Anna", "Zoë", "a b"]),
    ):
        assert plain_json(rule, pa.array(cells)).null_count == 0


@pytest.mark.parametrize(
    ("rule", "cells"),
    [
        (field("n", "integer"), ["007", "+1", "-0", "1e3", "٣", "1\n", " 1"]),
        (field("n", "number"), ["1.50", "-0", "1.", ".5", "1e3", "1,5"]),
        (field("t", constraints=Constraints(enum=("a",))), ["a"]),
        (field("t", format="email"), ["a@b.example"]),
        (field("t"), ['"', "\\", "a\nb", "\x1f"]),
        (field("d", "date"), ["2026-08-31"]),
    ],
)
def test_whatever_needs_a_closer_look_is_left_to_the_column_check(rule, cells):
    assert plain_json(rule, pa.array(cells)).null_count == len(cells)

import pytest

from flatfile_sync.domain.project import Constraints, Field, OnError
from flatfile_sync.pipeline.values import as_issue, check_column


def field(kind="string", **more):
    return Field(name="additionalData.x", target="additionalData.x", type=kind, **more)


def limits(**more):
    return Constraints(**more)


@pytest.mark.parametrize(
    ("subject", "cell", "expected"),
    [
        (field(), "äö\n", "äö\n"),
        (field("integer"), "0012", 12),
        (field("integer"), "+5", 5),
        (field("integer", group_char="."), "1.200", 1200),
        (field("integer", bare_number=False), "95 %", 95),
        (field("number"), "12.50", "12.5"),
        (field("number"), "-0.0", "0"),
        (field("number"), "1e3", "1000"),
        (field("number"), "-.50", "-0.5"),
        (field("number"), "12345678901234567890123456789012345.670", "12345678901234567890123456789012345.67"),
        (field("number"), "0.10000000000000000001", "0.10000000000000000001"),
        (field("number", decimal_char=",", group_char="."), "1.234,50", "1234.5"),
        (field("boolean"), "TRUE", True),
        (field("boolean", false_values=("no",)), "no", False),
        (field("date"), "2026-08-31", "2026-08-31"),
        (field("date", format="%d.%m.%Y"), "31.08.2026", "2026-08-31"),
        (field("datetime"), "2026-08-31T20:00:00+02:00", "2026-08-31T18:00:00Z"),
        (field("datetime"), "2026-08-31T20:00:00", "2026-08-31T20:00:00"),
        (field("time"), "18:30", "18:30:00"),
        (field("year"), "2026", 2026),
        (field(format="email"), "a@b.example", "a@b.example"),
        (field(format="uuid"), "C9A646D3-9C61-4CB7-BFCD-EE2522C8F633", "c9a646d3-9c61-4cb7-bfcd-ee2522c8f633"),
    ],
)
def test_a_sound_cell_becomes_its_canonical_value(subject, cell, expected):
    values, wrong = check_column(subject, [cell])
    assert wrong == {}
    assert values == [expected]
    assert type(values[0]) is type(expected)


@pytest.mark.parametrize(
    ("subject", "cell", "code"),
    [
        (field("integer"), "12x", "V01"),
        (field("integer"), "12.0", "V01"),
        (field("integer"), "１２", "V01"),  # noqa: RUF001 - full-width digits are not ours
        (field("integer"), "99999999999999999999", "V03"),
        (field("number"), "NaN", "V01"),
        (field("number"), "1,5", "V01"),
        (field("boolean"), "yes", "V01"),
        (field("date"), "2026-02-30", "V01"),
        (field("datetime"), "2026-02-03", "V01"),
        (field("datetime"), "9999-12-31T23:00:00-05:00", "V01"),
        (field("year"), "26", "V01"),
        (field(format="email"), "a@b", "V01"),
        (field("integer", constraints=limits(minimum=0)), "-1", "V03"),
        (field("date", constraints=limits(maximum="2026-12-31")), "2027-01-01", "V03"),
        (field(constraints=limits(max_length=3)), "abcd", "V04"),
        (field(constraints=limits(pattern=r"[A-Z]\d")), "A12", "V05"),
        (field(constraints=limits(enum=("Gold", "Silver"))), "Glod", "V06"),
    ],
)
def test_a_wrong_cell_gets_its_code(subject, cell, code):
    values, wrong = check_column(subject, [cell])
    assert values == [None]
    assert {place: found.code for place, found in wrong.items()} == {0: code}
    shown = as_issue(subject, wrong[0], record=7, value=cell)
    assert (shown.code, shown.record, shown.column) == (code, 7, "additionalData.x")
    assert shown.message
    assert shown.hint


def test_wrong_cells_do_not_move_their_neighbours():
    values, wrong = check_column(field("integer"), ["1", "x", "3", "", "5"])
    assert values == [1, None, 3, None, 5]
    assert sorted(wrong) == [1, 3]


def test_a_near_miss_of_an_allowed_value_is_suggested():
    subject = field(constraints=limits(enum=("Gold", "Silver")))
    _, wrong = check_column(subject, ["Glod"])
    assert as_issue(subject, wrong[0], record=1, value="Glod").hint == "Did you mean 'Gold'?"


def test_a_value_of_a_personal_field_is_in_no_sentence():
    subject = field(pii=True, constraints=limits(max_length=3))
    _, wrong = check_column(subject, ["canary-7"])
    assert "canary" not in repr(as_issue(subject, wrong[0], record=1, value="canary-7"))


def test_a_field_may_drop_its_value_instead_of_the_record():
    subject = field("integer", on_error=OnError.DROP)
    _, wrong = check_column(subject, ["x"])
    assert as_issue(subject, wrong[0], record=1, value="x").code == "V09"

import csv
import io
import json
from datetime import timedelta

import pytest

from flatfile_sync.store import consents
from flatfile_sync.store.consents import ConsentRow
from tests.doubles import START

WHO = "ana@mail.example"
COLUMNS = "purpose,granted,at,source,proof,wording,drop_id,record,recorded_at,subject_kind,subject,project"


@pytest.fixture
def ledger(place):
    """What one person said, in the order of its moments, which is not the one it came in."""
    said = ((1, True, "web"), (3, False, "till"), (2, True, "app"))
    rows = [
        ConsentRow(
            project="loyalty",
            subject_kind="customerEmail",
            subject=WHO,
            purpose="marketing",
            granted=granted,
            at=START + timedelta(days=day),
            source=source,
            proof=f"form {day}",
            drop_id="d1",
            record=day,
            recorded_at=START,
            wording="2026-01",
        )
        for day, granted, source in said
    ]
    place.kit.store.write_now(lambda conn: consents.record_many(conn, rows))
    return place


def test_what_counts_is_shown_beside_what_was_said_before(ledger):
    shown = ledger.run("consents", "show", f"id.customerEmail={WHO}")
    assert shown.exit_code == 0
    lines = [line.split()[:3] for line in shown.stdout.splitlines()[1:]]
    assert lines == [["-", "marketing", "opt-in"], ["-", "marketing", "opt-in"], ["counts", "marketing", "opt-out"]]
    found = json.loads(ledger.run("consents", "show", f"customerEmail={WHO}", "--json").stdout)
    assert found["now"] == {"marketing": False}
    assert [entry["source"] for entry in found["statements"]] == ["web", "app", "till"]


def test_a_ledger_is_exported_with_its_proof(ledger):
    told = ledger.run("consents", "export", "--subject", f"customerEmail={WHO}")
    rows = list(csv.DictReader(io.StringIO(told.stdout)))
    assert told.stdout.splitlines()[0] == COLUMNS
    assert [(row["granted"], row["at"], row["proof"], row["wording"]) for row in rows] == [
        ("opt-in", "2026-08-02T04:03:12.000Z", "form 1", "2026-01"),
        ("opt-in", "2026-08-03T04:03:12.000Z", "form 2", "2026-01"),
        ("opt-out", "2026-08-04T04:03:12.000Z", "form 3", "2026-01"),
    ]
    found = json.loads(ledger.run("consents", "export", "--subject", f"customerEmail={WHO}", "--format", "json").stdout)
    assert [list(entry) for entry in found] == [COLUMNS.split(",")] * 3
    assert [entry["granted"] for entry in found] == [True, True, False]


@pytest.mark.parametrize(
    ("subject", "code", "text"),
    [
        ("customerEmail=nobody@mail.example", 4, "Nobody of project 'loyalty' who is known by this customerEmail"),
        ("memberId=M000001", 2, "names no person; write one of customerEmail=..., pass=..."),
        (WHO, 2, "names no person"),
    ],
)
def test_whoever_said_nothing_is_not_there(ledger, subject, code, text):
    for command in (("show", subject), ("export", "--subject", subject)):
        shown = ledger.run("consents", *command)
        assert shown.exit_code == code
        assert text in " ".join(shown.stderr.split())

import json

import pytest

from flatfile_sync.store import accounts
from tests.doubles import START

PASSES = (
    "id,passType,id.memberId,id.customerEmail,additionalData.points,google\n"
    "one,loyalty_card,M000001,ines@mail.example,2020,1\n"
    "two,loyalty_card,M000002,ines@mail.example,7,0\n"
    "other,loyalty_card,M000003,ada@mail.example,7,0\n"
)


@pytest.fixture
def seeded(place, tmp_path):
    file = tmp_path / "passes.csv"
    file.write_text(PASSES)
    place.run("passes", "import", file)
    place.kit.store.write_now(lambda conn: accounts.add(conn, name="partner", project="loyalty", feeds=(), now=START))
    return place


def test_a_person_is_shown_before_they_are_erased_and_no_means_no(seeded):
    shown = seeded.run("passes", "erase", "memberId=M000001", input="n\n")
    assert shown.exit_code == 1
    assert "Identifiers: customerEmail=•••, memberId=M000001, memberId=M000002" in shown.stdout
    assert "ines@" not in shown.stdout + shown.stderr
    assert "M000001" in seeded.run("passes", "find", "memberId=M000001").stdout


def test_yes_erases_every_pass_of_the_person_and_nobody_elses(seeded):
    shown = seeded.run("passes", "erase", "memberId=M000001", input="y\n")
    assert shown.exit_code == 0
    assert "Erased: 2 passes, 4 identifiers, 0 devices, 0 links" in shown.stdout
    assert "Google Wallet is told to show 1 passes empty and inactive" in shown.stdout
    assert seeded.run("passes", "find", "memberId=M000002").stdout == "No pass has it.\n"
    assert "M000003" in seeded.run("passes", "find", "memberId=M000003").stdout
    left = json.loads(seeded.run("passes", "show", "one", "--reveal", "--json").stdout)
    assert (left["status"], left["document"], left["identifiers"]) == ("erased", {}, {})


def test_programs_are_told_in_json_and_never_asked(seeded):
    told = json.loads(seeded.run("passes", "erase", "one", "--yes", "--json").stdout)
    assert told == {
        "project": "loyalty",
        "pass_ids": ["one", "two"],
        "passes": 2,
        "identifiers": 4,
        "devices": 0,
        "links": 0,
        "messages": 0,
        "consents": 0,
        "google": ["one"],
        "files": [],
    }


def test_an_import_does_not_bring_the_person_back_before_they_are_readmitted(seeded, tmp_path):
    seeded.run("passes", "erase", "one", "--yes")
    file = tmp_path / "passes.csv"
    shown = seeded.run("passes", "import", file)
    assert shown.exit_code == 1
    assert "id = one belonged to somebody whose data was erased." in shown.stderr
    file.write_text(PASSES.replace("one,", "new,").replace("two,", "newer,"))
    assert "id.memberId = M000001 belonged" in seeded.run("passes", "import", file).stderr
    for key in ("memberId=M000001", "memberId=M000002", "id.customerEmail=ines@mail.example"):
        assert seeded.run("passes", "readmit", key).stdout == "Readmitted: a file may name it again.\n"
    assert seeded.run("passes", "import", file).stdout.startswith("2 passes created, 1 there already")
    assert seeded.run("passes", "readmit", "memberId=M000001").exit_code == 4


def test_whoever_is_not_there_is_not_erased(seeded):
    for key, text in (
        ("nobody", "No pass of project 'loyalty' has this id."),
        ("membreId=1", "is no identifier of project 'loyalty'"),
    ):
        shown = seeded.run("passes", "erase", key, "--yes")
        assert shown.exit_code == 4
        assert text in " ".join(shown.stderr.split())

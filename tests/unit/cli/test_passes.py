import json

import pytest

TEXT = (
    "id,passType,id.memberId,id.customerEmail,additionalData.points,additionalData.firstName,additionalData.vip,apple\n"
    "one,loyalty_card,M000001,ines@mail.example,2020,Inès,true,1\n"
    "two,loyalty_card,M000002,ines@mail.example,7,Ada,false,0\n"
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "passes.csv"
    path.write_text(TEXT)
    return path


def test_passes_are_imported_and_again_passed_over(place, file):
    first = place.run("passes", "import", file, "--project", "loyalty")
    assert first.exit_code == 0
    assert first.stdout == "2 passes created, 0 there already, of 2 records.\n"
    again = json.loads(place.run("passes", "import", file, "--json").stdout)
    assert (again["created"], again["present"], again["problems"]) == (0, 2, [])


def test_a_problem_names_file_line_and_column_and_ends_with_1(place, file):
    file.write_text(TEXT.replace(",7,", ",seven,"))
    shown = place.run("passes", "import", file)
    assert shown.exit_code == 1
    assert shown.stderr.startswith(f"{file}, line 3, column additionalData.points: 'seven' is not a whole number.")
    assert "Stopped at the first chunk with a problem: nothing stored." in shown.stdout
    found = json.loads(place.run("passes", "import", file, "--json").stdout)
    assert [(problem["line"], problem["code"]) for problem in found["problems"]] == [(3, "V01")]


def test_a_pass_is_found_by_an_identifier_and_personal_values_are_masked(place, file):
    place.run("passes", "import", file)
    shown = place.run("passes", "find", "memberId=M000001")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split()[:4] == ["one", "loyalty_card", "active", "1"]
    assert "customerEmail=••• memberId=M000001" in shown.stdout
    both = json.loads(place.run("passes", "find", "id.customerEmail=ines@mail.example", "--json").stdout)
    assert [found["id"] for found in both] == ["one", "two"]
    assert {found["identifiers"]["customerEmail"] for found in both} == {"•••"}
    assert place.run("passes", "find", "memberId=M9").stdout == "No pass has it.\n"


def test_one_pass_is_shown_as_it_is_stored(place, file):
    place.run("passes", "import", file)
    shown = place.run("passes", "show", "one")
    assert "Inès" not in shown.stdout
    assert "ines@" not in shown.stdout
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["additionalData.points", "2020"] in lines
    assert ["additionalData.vip", "true"] in lines
    assert ["additionalData.firstName", "•••"] in lines
    found = json.loads(place.run("passes", "show", "one", "--reveal", "--json").stdout)
    assert found["document"]["additionalData.firstName"] == "Inès"
    assert found["identifiers"] == {"customerEmail": "ines@mail.example", "memberId": "M000001"}
    assert list(found) == [
        *("id", "project", "pass_type", "status", "expires_at", "revision", "modified_at", "apple", "google"),
        *("writers", "identifiers", "document"),
    ]


def test_all_passes_of_a_type_are_refreshed(place, file):
    place.run("passes", "import", file)
    shown = place.run("passes", "refresh", "--type", "loyalty_card")
    assert shown.stdout == "2 passes of type loyalty_card are refreshed: 1 on Apple, 0 on Google.\n"
    found = json.loads(place.run("passes", "refresh", "--type", "loyalty_card", "--json").stdout)
    assert (found["passes"], found["apple"], found["pass_type"]) == (2, 1, "loyalty_card")
    assert json.loads(place.run("passes", "show", "one", "--json").stdout)["revision"] == 3


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("refresh", "--type", "loyalty_crad"), 4, "has no pass type 'loyalty_crad'. Did you mean"),
        (("find", "membreId=1"), 2, "write one of memberId=..., crm.contactId=..., customerEmail=..."),
        (("find", "M000001"), 2, "is no identifier"),
        (("show", "nobody"), 4, "There is no pass 'nobody'"),
        (("import", "nowhere.csv"), 2, "does not exist"),
    ],
)
def test_what_is_not_there_is_said(place, args, code, text):
    shown = place.run("passes", *args)
    assert shown.exit_code == code
    assert text in " ".join(shown.stderr.split())

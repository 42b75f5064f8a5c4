import csv
import json

import pytest

from flatfile_sync.cli import rehearsal

HEAD = "id.memberId,additionalData.points,additionalData.tier\n"
PASSES = "passType,id.memberId,additionalData.points\nloyalty_card,M000001,5\nloyalty_card,M000002,6\n"


@pytest.fixture
def check(run, loyalty_folder, tmp_path):
    def call(text, *options, name="members.csv", catch_exceptions=False):
        file = tmp_path / name
        file.write_text(text)
        more = {"catch_exceptions": catch_exceptions}
        return run("check", file, "--project", loyalty_folder, *options, **more)

    return call


def test_a_sound_file_ends_with_0_and_says_what_was_assumed(check):
    shown = check(HEAD + "M000001,5,Gold\nM000002,6,\n")
    assert shown.exit_code == 0
    assert "Checked as feed 'members'; 2 passes that the file names were assumed to exist." in shown.stdout
    assert ["valid", "2", "-"] in [line.split() for line in shown.stdout.splitlines()]


def test_a_problem_ends_with_1_and_names_line_column_value_and_remedy(check):
    shown = check(HEAD + "M000001,5,Glod\nM000002,6,\n")
    assert shown.exit_code == 1
    [line] = [line for line in shown.stdout.splitlines() if "V06" in line and line.startswith("2 ")]
    for text in ("additionalData.tier", "Glod", "Did you mean 'Gold'?"):
        assert text in line


def test_a_wrong_header_refuses_the_file(check):
    shown = check("id.memberId,additionalData.point\nM000001,5\n")
    assert shown.exit_code == 1
    assert "Did you mean `additionalData.points`?" in shown.stdout
    assert ["skipped", "1", "-"] in [line.split() for line in shown.stdout.splitlines()]


def test_against_given_passes_records_are_unchanged_or_not_found(check, tmp_path):
    (tmp_path / "export.csv").write_text(PASSES)
    shown = check(HEAD + "M000001,5,\nM000002,7,\nM000009,1,\n", "--passes", tmp_path / "export.csv", "--json")
    assert shown.exit_code == 1
    found = json.loads(shown.stdout)
    counts = found["summary"]["counts"]
    assert (counts["unchanged"], counts["valid"], counts["rejected"]) == (1, 1, 1)
    assert [(problem["_line"], problem["_code"]) for problem in found["problems"]] == [("4", "K02")]
    assert found["assumed_passes"] == 0


def test_passes_that_cannot_be_imported_end_the_check(check, tmp_path):
    (tmp_path / "export.csv").write_text(PASSES.replace(",6", ",six"))
    shown = check(HEAD + "M000001,5,\n", "--passes", tmp_path / "export.csv")
    assert shown.exit_code == 1
    assert "export.csv, line 3, column additionalData.points: 'six' is not a whole number." in shown.stderr


def test_the_result_set_is_written_where_one_asks_for_it(check, tmp_path):
    shown = check(HEAD + "M000001,x,\nM000002,6,\n", "--out", tmp_path / "reports")
    assert f"The result set is in {tmp_path / 'reports'}." in shown.stdout
    files = {file.name.split(".", 3)[3]: file for file in (tmp_path / "reports").iterdir()}
    assert sorted(files) == ["issues.csv", "rejects.csv", "result.csv", "summary.json"]
    assert files["rejects.csv"].read_text() == HEAD + "M000001,x,\n"
    with files["result.csv"].open(newline="") as handle:
        assert [row["_status"] for row in csv.DictReader(handle)] == ["rejected", "valid"]
    assert json.loads(files["summary.json"].read_text())["verdict"] == "dry_run"


def test_new_members_are_checked_as_creations(check):
    text = "id.memberId,additionalData.points\nM000001,5\nM000001,6\n"
    shown = check(text, name="enrolments.csv")
    assert shown.exit_code == 0
    assert "Checked as feed 'enrolments'; 0 passes" in shown.stdout


def test_the_feed_is_taken_from_the_name_or_told(check):
    shown = check(HEAD, name="unknown.csv")
    assert shown.exit_code == 2
    assert "no feed takes a file named 'unknown.csv'; say which with --feed" in " ".join(shown.stderr.split())
    assert check(HEAD + "M000001,5,\n", "--feed", "members", name="unknown.csv").exit_code == 0
    assert check(HEAD, "--feed", "membres").exit_code == 2


def test_a_broken_project_ends_with_3(check, loyalty_folder):
    (loyalty_folder / "data_model.json").write_text("{")
    shown = check(HEAD)
    assert shown.exit_code == 3
    assert "data_model.json: cannot be read" in shown.stderr


def test_a_large_file_is_checked_in_worker_processes(check, monkeypatch):
    monkeypatch.setattr(rehearsal, "_LARGE", 0)
    shown = check(HEAD + "M000001,5,Gold\n")
    assert shown.exit_code == 0
    assert ["valid", "1", "-"] in [line.split() for line in shown.stdout.splitlines()]


def test_a_share_of_all_passes_is_no_limit_where_nobody_knows_how_many_there_are(run, loyalty_folder, tmp_path):
    project = loyalty_folder / "project.toml"
    text = project.read_text()
    assert "max_notifications = 500000" in text
    project.write_text(text.replace("max_notifications = 500000", "max_notification_percent = 1.0"))
    file = tmp_path / "campaign.csv"
    file.write_text("id.memberId,notification.message\nM000001,Sale\n")
    shown = run("check", file, "--project", loyalty_folder, "--json")
    assert json.loads(shown.stdout)["summary"]["guard"] is None

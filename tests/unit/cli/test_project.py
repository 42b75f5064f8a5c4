import json
import shutil


def test_a_sound_project_is_ok(run, loyalty_folder):
    shown = run("project", "check", loyalty_folder)
    assert shown.exit_code == 0
    assert "project 'loyalty' is sound" in shown.stdout


def test_a_broken_project_ends_with_1_and_names_every_problem(run, loyalty_folder):
    file = loyalty_folder / "project.toml"
    file.write_text(file.read_text().replace("globs =", "glbs =").replace("settle =", "setle ="))
    shown = run("project", "check", loyalty_folder)
    assert shown.exit_code == 1
    assert "feeds[0].glbs: unknown key. Did you mean `globs`?" in shown.stdout
    assert "feeds[0].setle: unknown key. Did you mean `settle`?" in shown.stdout


def test_what_a_change_would_break_is_listed_against_the_old_state(run, loyalty_folder, tmp_path):
    old = tmp_path / "old" / "loyalty"
    shutil.copytree(loyalty_folder, old)
    file = loyalty_folder / "data_model.json"
    file.write_text(file.read_text().replace('"Silver", ', ""))
    shown = run("project", "check", loyalty_folder, "--against", old)
    assert shown.exit_code == 1
    assert "Incompatible: Field 'additionalData.tier' allows fewer values" in shown.stdout
    shown = run("project", "check", loyalty_folder, "--against", old, "--json")
    found = json.loads(shown.stdout)
    assert found["problems"] == []
    assert found["warnings"] == []
    assert len(found["incompatible_changes"]) == 1


def test_a_folder_that_is_not_there_is_wrong_usage(run, tmp_path):
    assert run("project", "check", tmp_path / "nowhere").exit_code == 2

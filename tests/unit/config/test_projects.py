import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flatfile_sync.config.changes import incompatible_changes
from flatfile_sync.config.projects import ProjectFolder, dump, load_project
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Constraints

SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.fixture
def project(tmp_path):
    shutil.copytree(SCHEMAS / "loyalty", tmp_path / "loyalty")

    def edit(file, old, new):
        path = tmp_path / "loyalty" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return tmp_path / "loyalty"

    return edit


@pytest.mark.parametrize("name", ["loyalty", "events"])
def test_the_examples_load_and_survive_a_round_trip(name):
    loaded = load_project(SCHEMAS / name)
    again = ProjectFolder(SCHEMAS).load(dump(loaded))
    assert again == loaded
    assert dump(again) == dump(loaded)


def test_a_version_names_the_content(project):
    before = load_project(SCHEMAS / "loyalty").version
    assert load_project(project("project.toml", '"30d"', '"30d"')).version == before
    folder = project("pass_types/gift_card/apple.json", "Balance", "Value")
    assert load_project(folder).version != before


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("project.toml", "operation = ", "operatoin = ", "feeds[0].operatoin: unknown key. Did you mean `operation`?"),
        ("project.toml", '"update"', '"updaet"', "feeds[0].operation: found 'updaet', expected 'update', 'upsert'"),
        ("project.toml", '"2s"', '"2 parsecs"', "feeds[0].settle: found '2 parsecs', expected a duration like 10s"),
        ("project.toml", '"hold"', '"hodl"', "feeds[3].guards.action: found 'hodl', expected 'reject' or 'hold'."),
        ("project.toml", "Europe/Paris", "Europe/Pairs", "timezone: found 'Europe/Pairs', expected a name like"),
        ("project.toml", '"loyalty_card"', '"loyalty_crad"', "there is no pass type 'loyalty_crad'. Did you mean"),
        ("project.toml", '"additionalData.balance"', '"additionalData.balanse"', "feeds[2].writable[0]"),
        ("project.toml", '"id.memberId"', '"id.memberID"', "feeds[1].required[0]: 'id.memberID' is no column. Did"),
        ("project.toml", 'name = "loyalty"', 'name = "loyal"', "expected the folder's name 'loyalty'"),
        ("project.toml", 'name = "members"', 'name = "enrolments"', "feeds: 'enrolments' stands 2 times"),
        ("project.toml", "title =", "title", "cannot be read"),
        ("data_model.json", '"minimum": 0', '"minimun": 0', "fields[0].constraints.minimun: unknown key. Did you mean"),
        ("data_model.json", '"minimum": 0', '"minimum": "x"', "fields[0].constraints.minimum: found 'x'"),
        ("data_model.json", '"integer"', '"int"', "fields[0].type: found 'int', expected 'string', 'integer'"),
        ("data_model.json", "M[0-9]{6}", "M[0-9", "identifiers[0].pattern: found 'M[0-9', which is no regular"),
        ("data_model.json", '"shared"', '"many"', "identifiers[2].cardinality: found 'many', expected 'unique' or"),
        ("data_model.json", "metadata.sandbox", "metadata.source", "fields: 'metadata.source' stands 2 times"),
        ("data_model.json", '"crm.contactId", ', '"crm.contactId", "person": true, ', "more than one is the `person`"),
        ("project.toml", '"void", "notify"', '"viod", "notify"', "'void' or 'notify'. Did you mean `void`?"),
        ("project.toml", "_percent = 2.0", '_percent = "2"', "_percent: found '2', expected a valid number or false."),
        ("project.toml", "_percent = 2.0", "_percent = 200", "found 200, expected less than or equal to 100 or false."),
        ("project.toml", "_percent = 2.0", "_count = -1", "_count: found -1, expected greater than or equal to 0 or"),
        ("project.toml", '["members*.csv"]', "[]", "feeds[0].globs: found [], expected at least 1 entry."),
        (
            "project.toml",
            '"set.id.*"',
            '"set.id.memberID"',
            "writable[2]: found 'set.id.memberID', expected a",
        ),
        ("project.toml", '"status",', '"statsu",', "found 'statsu', expected a column. Did you mean `status`?"),
        (
            "project.toml",
            'echo = "receipt"',
            'writable = ["metadata.*"]',
            "'additionalData.balance' is required, but",
        ),
        ("data_model.json", '"drop"', '"dorp"', "found 'dorp', expected 'reject' or 'drop'. Did you mean `drop`?"),
        (
            "data_model.json",
            '"date"',
            '"date", "format": "dd/mm/yyyy"',
            "expected default, any or a pattern, %d/%m",
        ),
        ("data_model.json", "40 }", '"40" }', "fields[4].constraints.maxLength: found '40', expected a valid integer."),
        ("data_model.json", '{ "minimum": 0 }', '{ "minimum": 1.5 }', "found 1.5, expected a value of type integer."),
        (
            "data_model.json",
            '{ "minimum": 0 }',
            '{ "minimum": 9, "maximum": 1 }',
            "found 9, expected at most maximum",
        ),
        ("data_model.json", '{ "minimum": 0 }', '{ "maxLength": 3 }', "found 3, but type integer has no length."),
        (
            "data_model.json",
            '{ "minimum": 0 }',
            '{ "enum": [1, "a"] }',
            "constraints.enum[1]: found 'a', expected a",
        ),
        ("pass_types/gift_card/apple.json", "{", "", "gift_card/apple.json: cannot be read"),
    ],
)
def test_a_broken_definition_names_file_key_and_remedy(project, file, old, new, expected):
    folder = project(file, old, new)
    with pytest.raises(ConfigurationError) as found:
        load_project(folder)
    assert expected in str(found.value)
    assert str(folder / Path(file).name) in str(found.value) or "pass_types" in file


def test_all_problems_of_a_file_are_listed(project):
    project("project.toml", "operation = ", "operatoin = ")
    folder = project("project.toml", '"2s"', '"never"')
    with pytest.raises(ConfigurationError) as found:
        load_project(folder)
    assert len(str(found.value).splitlines()) == 2


def test_a_file_that_breaks_later_keeps_the_project_as_it_was(project, tmp_path):
    folder = ProjectFolder(tmp_path)
    good = folder.current("loyalty")
    project("project.toml", "operation = ", "operatoin = ")
    assert folder.current("loyalty") == good
    assert "operatoin" in folder.broken("loyalty")
    project("project.toml", "operatoin = ", "operation = ")
    assert folder.current("loyalty") == good
    assert folder.broken("loyalty") is None


def test_changes_that_break_partners_are_listed():
    old = load_project(SCHEMAS / "loyalty")
    first, *rest = old.model.fields
    narrower = replace(first, constraints=Constraints(minimum=5))
    feeds = tuple(replace(feed, writable=("additionalData.*",)) for feed in old.feeds)
    new = replace(old, model=replace(old.model, fields=(narrower, *rest[1:])), feeds=feeds[1:])
    found = incompatible_changes(old, new)
    assert "Field 'additionalData.points' is limited more: minimum 5." in found
    assert "Field 'additionalData.tier' was removed." in found
    assert "Feed 'members' was removed." in found
    assert "Feed 'enrolments' may no longer write 'metadata.source'." in found
    assert incompatible_changes(old, old) == []

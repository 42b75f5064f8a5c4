import shutil
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import orjson
import pytest

from flatfile_sync.config.changes import incompatible_changes
from flatfile_sync.config.projects import dump
from flatfile_sync.daemon.projects import open_projects, read_project
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.layers import LayerLimits
from flatfile_sync.domain.project import Constraints, Notifications
from flatfile_sync.domain.states import Purpose
from flatfile_sync.domain.windows import Cap, Hours, Hush
from flatfile_sync.spool.images import Images

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


def campaigns(settings):
    """Return an edit that gives the feed `campaigns` a policy of its own."""
    return 'purpose = "marketing"', f'purpose = "marketing"\nnotifications = {{ {settings} }}'


@pytest.mark.parametrize("name", ["loyalty", "events"])
def test_the_examples_load_and_survive_a_round_trip(name):
    loaded = read_project(SCHEMAS / name)
    again = open_projects(SCHEMAS).load(dump(loaded))
    assert again == loaded
    assert dump(again) == dump(loaded)


def test_the_limits_of_layers_are_read(project):
    told = ('lane = "bulk"', 'lane = "bulk"\nlayers = { max_bytes = 1000, max_ratio = 20, max_members = 3 }')
    feed = read_project(project("project.toml", *told)).feed("giftcards")
    assert feed.layers == LayerLimits(max_bytes=1000, max_ratio=20, max_members=3)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("members.csv", True),
        ("members.csv.gz", True),
        ("members.CSV.GZ", False),
        ("members.csv.bz2.zip", True),
        ("members.csv.gz.gz.gz", False),
        ("members.csv.rar", False),
        (".gz", False),
    ],
)
def test_a_glob_takes_a_name_with_the_endings_of_layers(name, taken):
    assert read_project(SCHEMAS / "loyalty").feed("members").takes(name) is taken


def test_a_version_that_was_pinned_before_there_were_layers_has_the_usual_limits():
    document = orjson.loads(dump(read_project(SCHEMAS / "loyalty")))
    for feed in document["feeds"]:
        del feed["layers"]
    again = open_projects(SCHEMAS).load(orjson.dumps(document))
    assert {feed.layers for feed in again.feeds} == {LayerLimits()}


def test_how_a_feed_notifies_is_read(project):
    told = (
        'window = "09:00-24:00", quiet = "12:00-13:30", days = ["mon", "sun"], timezone = "metadata.source", '
        'cap = { messages = 2, within = "7d" }, transactional = true, repeat = false'
    )
    feed = read_project(project("project.toml", *campaigns(told))).feed("campaigns")
    assert feed.notifications == Notifications(
        hours=Hush(window=Hours(time(9), time(0)), quiet=Hours(time(12), time(13, 30)), days=(0, 6)),
        timezone="metadata.source",
        cap=Cap(messages=2, within=timedelta(days=7)),
        transactional=True,
        repeat=False,
    )
    assert Notifications(transactional=True).restricts(Purpose.TRANSACTIONAL)
    assert [purpose for purpose in Purpose if Notifications().restricts(purpose)] == [Purpose.MARKETING]


def test_a_version_names_the_content(project):
    before = read_project(SCHEMAS / "loyalty").version
    assert read_project(project("project.toml", '"30d"', '"30d"')).version == before
    folder = project("pass_types/gift_card/apple.json", "Balance", "Value")
    assert read_project(folder).version != before


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
            *campaigns('window = "9-20"'),
            "notifications.window: found '9-20', expected two times of the",
        ),
        (
            "project.toml",
            *campaigns('quiet = "21:00-21:00"'),
            "expected two different times of the day like 09:00-20:00",
        ),
        ("project.toml", *campaigns('days = ["mo"]'), "notifications.days[0]: found 'mo', expected 'mon', 'tue'"),
        (
            "project.toml",
            *campaigns("cap = { messages = 0, within = '7d' }"),
            "cap.messages: found 0, expected greater",
        ),
        (
            "project.toml",
            *campaigns('timezone = "additionalData.zone"'),
            "feeds[3].notifications.timezone: 'additionalData.zone' is no field of the data model.",
        ),
        (
            "project.toml",
            *campaigns('timezone = "additionalData.points"'),
            "'additionalData.points' is of type integer, expected a string.",
        ),
        (
            "project.toml",
            *campaigns('window = "09:00-12:00", quiet = "08:00-12:00"'),
            "notifications.window: it lies within the quiet hours, so that no message would ever go.",
        ),
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
        (
            "pass_types/gift_card/apple.json",
            '"label": "Balance"',
            '"labl": "Balance"',
            "gift_card/apple.json: storeCard.primaryFields[0].labl: unknown key. Did you mean `label`?",
        ),
        (
            "pass_types/gift_card/pass_type.toml",
            "carrier",
            "carier",
            "gift_card/pass_type.toml: carier: unknown key. Did you mean `carrier`?",
        ),
        (
            "pass_types/gift_card/pass_type.toml",
            '"transactional"',
            '"transactionel"',
            "purposes.balance: found 'transactionel', expected 'transactional' or 'marketing'. Did you mean",
        ),
        (
            "pass_types/gift_card/google_class.json",
            "https://www.example.com/",
            "https://www.example.net/",
            "homepageUri.uri: found 'https://www.example.net/': the host 'www.example.net' is not among `url_hosts`",
        ),
        ("project.toml", '["www.example.com"]', '["https://www.example.com"]', "url_hosts[0]: found 'https://www"),
    ],
)
def test_a_broken_definition_names_file_key_and_remedy(project, file, old, new, expected):
    folder = project(file, old, new)
    with pytest.raises(ConfigurationError) as found:
        read_project(folder)
    assert expected in str(found.value)
    assert str(folder / Path(file).name) in str(found.value) or "pass_types" in file


def test_problems_of_all_pass_types_are_listed_at_once(project):
    """Whoever mends one template sees what is wrong with the others."""
    project("pass_types/gift_card/apple.json", '"label": "Balance"', '"labl": "Balance"')
    project("pass_types/gift_card/pass_type.toml", "carrier", "carier")
    folder = project("pass_types/loyalty_card/google_object.json", '"accountId"', '"acountId"')
    with pytest.raises(ConfigurationError) as found:
        read_project(folder)
    assert [line.split(": ")[1] for line in str(found.value).splitlines()] == ["carier", "acountId"]
    project("pass_types/gift_card/pass_type.toml", "carier", "carrier")
    with pytest.raises(ConfigurationError) as found:
        read_project(folder)
    paths = ["storeCard.primaryFields[0].labl", "acountId"]
    assert [line.split(": ")[1] for line in str(found.value).splitlines()] == paths


def test_what_is_doubtful_is_said_and_the_project_is_used(project):
    """A warning is no problem."""
    folder = project(
        "pass_types/gift_card/apple.json", '"key": "until",', '"key": "until", "changeMessage": "Until %@",'
    )
    project("pass_types/gift_card/pass_type.toml", "[purposes]", '[purposes]\nuntil = "transactional"')
    said = []
    assert read_project(folder, say=said.append).pass_type("gift_card").style == "storeCard"
    assert [line.rpartition("/")[2] for line in said] == [
        "apple.json: 2 fields can notify (balance, until); of several that change at once Wallet tells none."
    ]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("images/strip@2x.png", lambda data: data + b"\0"),
        ("images/new.png", lambda data: data),
        ("fr.lproj/pass.strings", lambda data: data.replace(b"Solde", b"Reste")),
        ("pass_type.toml", lambda data: data.replace(b"transactional", b"marketing")),
        ("google_class.json", lambda data: data.replace(b"FR", b"BE")),
        ("google_object.json", lambda data: data.replace(b"CODE_128", b"QR_CODE")),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_version_covers_every_file_of_a_pass_type(project, file, change):
    """An image that changes is another pass."""
    folder = project("project.toml", '"30d"', '"30d"')
    before = read_project(folder).version
    path = folder / "pass_types" / "gift_card" / file
    path.write_bytes(change(path.read_bytes() if path.exists() else (path.parent / "strip@2x.png").read_bytes()))
    assert read_project(folder).version != before


def test_files_that_a_file_manager_leaves_behind_are_passed_over(project):
    """A hidden file is none of ours."""
    folder = project("project.toml", '"30d"', '"30d"')
    before = read_project(folder).version
    (folder / "pass_types" / "gift_card" / "images" / ".DS_Store").write_bytes(b"x")
    assert read_project(folder).version == before


def test_images_are_handed_over_as_soon_as_a_project_is_sound(project, tmp_path):
    """A pass of an older version still finds its image."""
    folder = project("pass_types/gift_card/google_class.json", "https://www.example.com/", "https://www.example.net/")
    images = Images(tmp_path / "images")
    projects = open_projects(tmp_path, keep_image=images.put)
    with pytest.raises(ConfigurationError):
        projects.current("loyalty")
    assert not images.root.exists()
    project("pass_types/gift_card/google_class.json", "https://www.example.net/", "https://www.example.com/")
    wanted = dict(projects.current("loyalty").pass_type("gift_card").files)
    assert {name: images.get(sha256) for name, sha256 in wanted.items()} == {
        name: (folder / "pass_types" / "gift_card" / "images" / name).read_bytes() for name in wanted
    }


def test_all_problems_of_a_file_are_listed(project):
    project("project.toml", "operation = ", "operatoin = ")
    folder = project("project.toml", '"2s"', '"never"')
    with pytest.raises(ConfigurationError) as found:
        read_project(folder)
    assert len(str(found.value).splitlines()) == 2


def test_a_file_that_breaks_later_keeps_the_project_as_it_was(project, tmp_path):
    folder = open_projects(tmp_path)
    good = folder.current("loyalty")
    project("project.toml", "operation = ", "operatoin = ")
    assert folder.current("loyalty") == good
    assert "operatoin" in folder.broken("loyalty")
    project("project.toml", "operatoin = ", "operation = ")
    assert folder.current("loyalty") == good
    assert folder.broken("loyalty") is None


def test_changes_that_break_partners_are_listed():
    old = read_project(SCHEMAS / "loyalty")
    first, *rest = old.model.fields
    narrower = replace(first, constraints=Constraints(minimum=5))
    feeds = tuple(replace(feed, writable=("additionalData.*",)) for feed in old.feeds)
    gift, card = old.pass_types
    types = (replace(gift, google_type="offer"), replace(card, platforms=("google",)))
    new = replace(old, model=replace(old.model, fields=(narrower, *rest[1:])), feeds=feeds[1:], pass_types=types)
    found = incompatible_changes(old, new)
    assert "Field 'additionalData.points' is limited more: minimum 5." in found
    assert "Field 'additionalData.tier' was removed." in found
    assert "Feed 'members' was removed." in found
    assert "Feed 'enrolments' may no longer write 'metadata.source'." in found
    gone = "Pass type 'gift_card' changed its Google type from giftCard to offer; make another pass type of it."
    assert gone in found
    assert "Pass type 'loyalty_card' is no longer there for apple: passes that are out get no updates." in found
    assert incompatible_changes(old, old) == []

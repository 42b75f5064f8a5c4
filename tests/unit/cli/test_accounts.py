import json
from datetime import UTC, datetime, timedelta

import pytest

from flatfile_sync.daemon.keys import new_key_pair, parse_public_key
from flatfile_sync.domain.bans import Standing
from flatfile_sync.sftp import host_keys
from flatfile_sync.store import bans


@pytest.fixture
def pub(tmp_path):
    def make(name="id"):
        _, line = new_key_pair(comment=f"{name}@crm")
        file = tmp_path / f"{name}.pub"
        file.write_text(line)
        return file, parse_public_key(line).fingerprint

    return make


def test_an_account_is_added_listed_and_disabled(place, pub):
    file, fingerprint = pub()
    added = place.run("accounts", "add", "crm", "--project", "loyalty", "--key", file, "--feed", "members")
    assert added.exit_code == 0
    assert f"comes in with {fingerprint}" in added.stdout
    assert "sftp -P 2222 crm@127.0.0.1" in added.stdout
    shown = place.run("accounts", "list")
    assert shown.stdout.splitlines()[1].split() == ["crm", "loyalty", "members", "1", "-", "on"]
    [found] = json.loads(place.run("accounts", "list", "--json").stdout)
    assert (found["name"], found["feeds"], found["keys"]) == ("crm", ["members"], [fingerprint])
    assert place.run("accounts", "disable", "crm").exit_code == 0
    assert place.run("accounts", "list").stdout.splitlines()[1].endswith("disabled")
    assert place.run("accounts", "disable", "crm").exit_code == 4


def test_the_only_project_is_meant_and_a_key_may_come_on_standard_input(place, pub):
    file, fingerprint = pub()
    added = place.run("accounts", "add", "crm", "--key", "-", input=file.read_text())
    assert added.exit_code == 0
    assert fingerprint in place.run("accounts", "keys", "crm").stdout


def test_keys_are_added_and_removed(place, pub):
    (one, first), (two, second) = pub("one"), pub("two")
    place.run("accounts", "add", "crm", "--key", one)
    shown = place.run("accounts", "keys", "crm", "--add", two, "--remove", first)
    assert shown.exit_code == 0
    [row] = shown.stdout.splitlines()[1:]
    assert row.split()[:2] == [second, "ssh-ed25519"]
    [found] = json.loads(place.run("accounts", "keys", "crm", "--json").stdout)
    assert (found["comment"], found["last_used_at"]) == ("two@crm", None)
    gone = place.run("accounts", "keys", "crm", "--remove", second)
    assert gone.stdout == "Account 'crm' has no key: nobody comes in with it.\n"


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--feed", "membres"), 2, "has no feed 'membres'; it has members, "),
        (("--project", "loyalti"), 3, "Did you mean `loyalty`?"),
    ],
)
def test_a_wrong_project_or_feed_is_named(place, pub, options, code, text):
    shown = place.run("accounts", "add", "crm", "--key", pub()[0], *options)
    assert shown.exit_code == code
    assert text in shown.stderr


def test_a_private_key_is_refused(place, tmp_path):
    file = tmp_path / "id"
    file.write_bytes(new_key_pair(comment="")[0])
    shown = place.run("accounts", "add", "crm", "--key", file)
    assert shown.exit_code == 4
    assert "This is a private key" in shown.stderr
    assert place.run("accounts", "list").stdout == "No accounts.\n"


def keys_of(place, name="crm"):
    return {row["comment"]: row for row in json.loads(place.run("accounts", "keys", name, "--json").stdout)}


def test_a_key_has_an_end_and_networks(place, pub):
    """Both are stored and shown; a network that is none is refused."""
    place.run("accounts", "add", "crm", "--key", pub("one")[0])
    options = ("--until", "2031-01-31", "--from", "203.0.113.0/24", "--from", "198.51.100.7")
    assert place.run("accounts", "keys", "crm", "--add", pub("two")[0], *options).exit_code == 0
    found = keys_of(place)["two@crm"]
    assert found["expires_at"].startswith("2031-01-31T00:00:00")
    assert found["addresses"] == ["203.0.113.0/24", "198.51.100.7/32"]
    wrong = place.run("accounts", "keys", "crm", "--add", pub("three")[0], "--from", "203.0.113.7/24")
    assert wrong.exit_code == 2
    assert "host bits set" in wrong.stderr


def test_a_rotation_overlaps(place, pub):
    """The new key has no end; the others end after the overlap, and one that ends sooner still does."""
    place.run("accounts", "add", "crm", "--key", pub("one")[0])
    place.run("accounts", "keys", "crm", "--add", pub("two")[0], "--until", "2020-01-01")
    assert place.run("accounts", "keys", "crm", "--rotate", pub("three")[0], "--overlap", "30").exit_code == 0
    found = keys_of(place)
    left = datetime.fromisoformat(found["one@crm"]["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    assert found["two@crm"]["expires_at"].startswith("2020-01-01")
    assert found["three@crm"]["expires_at"] is None


def test_a_key_can_be_ended_now(place, pub):
    """Ended, not removed: when it was used last stays to be seen."""
    file, fingerprint = pub("one")
    place.run("accounts", "add", "crm", "--key", file)
    assert place.run("accounts", "keys", "crm", "--expire", fingerprint).exit_code == 0
    assert datetime.fromisoformat(keys_of(place)["one@crm"]["expires_at"]) <= datetime.now(UTC)
    assert place.run("accounts", "keys", "crm", "--expire", "SHA256:none").exit_code == 4


def test_an_account_is_disabled_and_enabled(place, pub):
    """On, off, on; what is on already is said."""
    place.run("accounts", "add", "crm", "--key", pub("one")[0])
    assert place.run("accounts", "enable", "crm").exit_code == 4
    place.run("accounts", "disable", "crm")
    assert place.run("accounts", "enable", "crm").exit_code == 0
    assert place.run("accounts", "list").stdout.splitlines()[1].endswith("on")


def test_a_password_is_never_shown_and_a_short_one_not_taken(place, pub):
    """The listing says that there is one; the hash stays inside."""
    place.run("accounts", "add", "crm", "--key", pub("one")[0])
    assert place.run("accounts", "password", "crm", input="short\n").exit_code == 2
    given = place.run("accounts", "password", "crm", input="correct horse battery staple\n")
    assert given.exit_code == 0
    assert "sftp.passwords is false" in given.stdout
    listed = place.run("accounts", "list", "--json").stdout
    assert json.loads(listed)[0]["has_password"] is True
    assert "argon2" not in listed
    place.run("accounts", "password", "crm", "--remove")
    assert json.loads(place.run("accounts", "list", "--json").stdout)[0]["has_password"] is False


def test_the_sheet_says_what_a_partner_needs(place, pub):
    """Host, port, the fingerprints of our keys, folders, the account's feeds, and how with each tool."""
    host_keys.make(place.data / "host_keys")
    place.run("accounts", "add", "crm", "--key", pub("one")[0], "--feed", "members")
    place.run("accounts", "addresses", "crm", "--from", "203.0.113.0/24")
    sheet = place.run("accounts", "sheet", "crm", env={"FLATFILE_SYNC_SFTP__PUBLIC_HOST": "sftp.example.com"}).stdout
    for fingerprint in host_keys.fingerprints(place.data / "host_keys").values():
        assert fingerprint in sheet
    for part in ("sftp -P 2222 -i ~/.ssh/id_ed25519 crm@sftp.example.com", "/outbox", "`members`", "203.0.113.0/24"):
        assert part in sheet
    for tool in ("## OpenSSH", "## WinSCP", "## Airflow", "## Salesforce Marketing Cloud"):
        assert tool in sheet
    assert "PRIVATE" not in sheet
    assert "or password" not in sheet


def test_a_ban_is_listed_and_lifted(place):
    """As the door left it; lifting what is not there is refused."""
    until = datetime.now(UTC) + timedelta(hours=1)
    place.kit.store.write_now(lambda conn: bans.put(conn, "203.0.113.7", Standing(0, until, until)))
    assert "203.0.113.7" in place.run("bans", "list").stdout
    assert place.run("bans", "lift", "203.0.113.7").exit_code == 0
    assert place.run("bans", "list").stdout == "Nobody is banned.\n"
    assert place.run("bans", "lift", "203.0.113.7").exit_code == 4


def test_host_keys_are_rotated_step_by_step(place):
    """Six fingerprints while the next are announced, six after the switch, three at the end; no switch without next."""
    host_keys.make(place.data / "host_keys")
    assert place.run("hostkeys", "switch").exit_code == 3
    for step, shown in (("next", 6), ("switch", 6), ("retire", 3)):
        assert place.run("hostkeys", step).exit_code == 0
        assert len(json.loads(place.run("hostkeys", "list", "--json").stdout)) == shown

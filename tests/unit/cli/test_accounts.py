import json

import pytest

from flatfile_sync.daemon.keys import new_key_pair, parse_public_key


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

import json
import os
import shutil
import time
from argparse import Namespace
from datetime import timedelta
from pathlib import Path

import pytest

from flatfile_sync.cli import examining
from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.daemon.link_key import LINK_KEY, load_link_key
from flatfile_sync.daemon.lock import held
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.states import DropState
from flatfile_sync.sftp import host_keys
from flatfile_sync.store import accounts, drops
from flatfile_sync.store.health import vitals
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.google_double.account import EMAIL, service_account
from tests.line import receive
from tests.tls import server_pem

TEXT = "id.memberId\n1\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """One set of host keys for all: an RSA key takes a second to make."""
    folder = tmp_path_factory.mktemp("keys")
    host_keys.make(folder)
    return folder


@pytest.fixture
def sound(place, keys, monkeypatch):
    """A data folder in which everything is in order."""
    target = place.data / "host_keys"
    target.mkdir(mode=0o700)
    for file in keys.iterdir():
        os.link(file, target / file.name)
    now = utc_now()
    place.kit.store.write_now(lambda conn: accounts.add(conn, name="crm", project="loyalty", feeds=[], now=now))
    disk(monkeypatch, 20 << 30)
    return place


def disk(monkeypatch, free):
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Namespace(free=free))


def look(place, code=0):
    """Return level, finding and remedy by what was looked at."""
    shown = place.run("doctor", "--json")
    assert shown.exit_code == code, shown.output
    found = json.loads(shown.stdout)["findings"]
    return {entry["about"]: (entry["level"], entry["found"], entry["remedy"]) for entry in found}


def test_a_sound_folder_is_ok_and_names_its_fingerprints(sound):
    with held(sound.data):
        found = look(sound)
    # How the machine that runs the tests is equipped is not the question here.
    found.pop("packages", None)
    assert {about: told for about, told in found.items() if told[0] != "ok"} == {}
    assert found["host key ed25519"][1] == host_keys.fingerprints(sound.data / "host_keys")["host_key_ed25519"]
    assert found["daemon"][1] == f"process {os.getpid()} runs"
    assert "revision" in found["database"][1]


def test_people_get_a_table_and_a_count(sound):
    shown = sound.run("doctor")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[0].split() == ["about", "found", "remedy"]
    assert shown.stdout.splitlines()[-1].endswith(" to look at, 0 bad.")
    assert "warn  daemon" in shown.stdout


def test_what_others_may_read_is_bad_with_its_remedy(sound):
    sound.data.chmod(0o755)
    key = sound.data / "host_keys" / "host_key_ecdsa"
    key.rename(key.with_suffix(".old"))
    key.write_bytes(key.with_suffix(".old").read_bytes())
    key.chmod(0o644)
    found = look(sound, code=1)
    assert found["data folder"] == ("bad", f"{sound.data} has mode 0755", f"Run `chmod 700 {sound.data}`.")
    assert found["host keys"] == ("bad", f"{key}: mode is 0644, expected 0600", f"run `chmod 600 {key}`.")


def test_a_database_that_is_not_there_is_bad_and_is_not_made(place):
    missing = place.data / "none.sqlite"
    shown = place.run("doctor", env={"FLATFILE_SYNC_DATABASE_URL": f"sqlite:///{missing}"})
    assert shown.exit_code == 1
    assert "there is no database yet" in shown.stdout
    assert not missing.exists()
    assert not (place.data / "host_keys").exists()


@pytest.mark.parametrize("kept", [0, 4096])
def test_a_damaged_database_is_bad(sound, kept):
    sound.kit.store.close()
    file = Path(sound.kit.store.url.database)
    size = file.stat().st_size
    with file.open("r+b") as handle:
        handle.seek(kept or size // 2)
        handle.write(b"\xff" * (size // 2))
    shown = sound.run("doctor")
    assert shown.exit_code == 1
    assert "bad   database" in shown.stdout


def test_a_broken_project_and_an_account_without_one_are_bad(sound):
    (sound.loyalty / "data_model.json").write_text("{")
    now = utc_now()
    sound.kit.store.write_now(lambda conn: accounts.add(conn, name="old", project="gone", feeds=[], now=now))
    found = look(sound, code=1)
    assert found["project loyalty"][0] == "bad"
    assert "data_model.json: cannot be read" in found["project loyalty"][1]
    assert found["accounts"][:2] == ("bad", "without a project: old")


def test_stuck_and_held_drops_and_orphans_are_worth_a_look(sound):
    for change in ({"stuck": True}, {"stuck": True}, {"state": DropState.HELD}):
        receive(sound.kit, TEXT, **change)
    sound.kit.spool.put("orphan", b"x")
    old = time.time() - 2 * 86_400
    os.utime(sound.kit.spool.path("orphan"), (old, old))
    found = look(sound)
    assert found["stuck drops"][:2] == ("warn", "2")
    assert found["held drops"][:2] == ("warn", "1")
    assert found["spool"][:2] == ("warn", "1 files that nothing names")


def test_a_wall_clock_that_went_back_is_bad(sound):
    receive(sound.kit, TEXT, received_at=utc_now() + timedelta(hours=1))
    assert look(sound, code=1)["wall clock"][0] == "bad"


def test_the_lock_file_is_compared_with_what_is_installed():
    right = examining._locked(
        "pytest[x]==0.1 \\\n    --hash=sha256:00\npytest==" + examining.metadata.version("pytest")
    )
    assert (right.level, right.found) == ("ok", "as the lock file says (1)")
    wrong = examining._locked("pytest==0.1 ; python_version < '4' \\\n    --hash=sha256:00\nnot-here==1\n")
    assert wrong.level == "warn"
    assert wrong.found.endswith("(locked 0.1)")


def test_both_databases_tell_how_they_are(store):
    found = store.read_now(vitals)
    assert found.server.startswith("SQLite 3." if store.is_sqlite else "PostgreSQL 16")
    assert (found.damage, found.newest, found.stuck, found.held, found.account_projects) == (None, None, 0, 0, {})
    assert abs(found.clock - utc_now()) < timedelta(minutes=1)
    store.write_now(lambda conn: accounts.add(conn, name="crm", project="loyalty", feeds=[], now=utc_now()))
    assert store.read_now(vitals).account_projects == {"crm": "loyalty"}
    assert store.read_now(lambda conn: drops.listing(conn, stuck=True)) == []


@pytest.mark.parametrize(("free", "level"), [(20 << 30, "ok"), (1 << 30, "warn"), (1 << 20, "bad")])
def test_little_room_is_worth_a_look_and_no_room_is_bad(sound, monkeypatch, free, level):
    disk(monkeypatch, free)
    assert look(sound, code=int(level == "bad"))["disk"][0] == level


def wallets(monkeypatch, folder, **changes):
    """Set up Apple Wallet and Google Wallet by the environment."""
    keys = apple_keys()
    (folder / "pass.p12").write_bytes(keys.pkcs12(chain=True))
    told = {
        "TOKEN_KEY": "k" * 32,
        "ACCOUNT": service_account().file("https://oauth2.example/token").decode(),
        "FLATFILE_SYNC_APPLE__CERTIFICATE_FILE": str(folder / "pass.p12"),
        "FLATFILE_SYNC_APPLE__TEAM_IDENTIFIER": TEAM_IDENTIFIER,
        "FLATFILE_SYNC_APPLE__PASS_TYPE_IDENTIFIER": PASS_TYPE_IDENTIFIER,
        "FLATFILE_SYNC_APPLE__WEB_SERVICE_URL": "https://passes.example",
        "FLATFILE_SYNC_APPLE__TOKEN_KEYS": '["2026=TOKEN_KEY"]',
        "FLATFILE_SYNC_GOOGLE__SERVICE_ACCOUNT_ENV": "ACCOUNT",
        "FLATFILE_SYNC_GOOGLE__ISSUER_ID": "3388000000012345678",
    }
    for name, value in (told | changes).items():
        monkeypatch.setenv(name, value)


def test_wallets_that_are_set_up_are_named_with_when_the_certificate_ends(sound, monkeypatch, tmp_path):
    wallets(monkeypatch, tmp_path)
    found = look(sound)
    assert found["apple wallet"] == ("ok", "pass.example.card, ends 2049-12-31, TokenKeys(2026)", "")
    assert found["google wallet"][:2] == ("ok", f"issuer 3388000000012345678 by {EMAIL}")


def test_a_secret_that_is_missing_is_named_and_its_value_never_shown(sound, monkeypatch, tmp_path):
    wallets(monkeypatch, tmp_path, TOKEN_KEY="", ACCOUNT="{}")
    found = look(sound, code=ExitCode.BAD)
    level, text, remedy = found["apple wallet"]
    assert (level, text) == ("bad", "apple.token_keys: the environment variable TOKEN_KEY is not set")
    assert remedy == "set it to the secret."
    assert found["google wallet"][0] == "bad"


def test_a_certificate_that_ends_within_the_week_is_bad(sound, monkeypatch, tmp_path):
    keys = apple_keys(not_after=utc_now() + timedelta(days=3))
    wallets(monkeypatch, tmp_path)
    (tmp_path / "pass.p12").write_bytes(keys.pkcs12(chain=True))
    level, text, remedy = look(sound, code=ExitCode.BAD)["apple certificate"]
    assert level == "bad"
    assert text.endswith("in 2 days")
    assert remedy.startswith("Renew it")


def test_the_web_door_is_looked_at(sound, tmp_path):
    """Plain HTTP for other machines, a certificate that ends or cannot be read, a key that others may read."""
    assert look(sound)["web door"][:2] == ("ok", "127.0.0.1:8080, no web.public_url: no links are made")
    config = sound.config.read_text()

    def told(*lines, code=0):
        sound.config.write_text("\n".join((config, "[web]", *lines)))
        return look(sound, code=code)

    assert told("enabled = false")["web door"][:2] == ("ok", "switched off")
    assert told('host = "0.0.0.0"')["web door"][0] == "warn"
    soon = utc_now() + timedelta(days=10, hours=1)
    (tmp_path / "door.pem").write_bytes(server_pem(not_after=soon))
    found = told('host = "0.0.0.0"', 'certificate_file = "door.pem"')
    assert found["web door"][0] == "ok"
    assert found["web certificate"][:2] == ("warn", f"ends {soon:%Y-%m-%d}, in 10 days")
    (tmp_path / "door.pem").write_text("nothing")
    assert "cannot be used" in told('certificate_file = "door.pem"', code=1)["web door"][1]
    load_link_key(sound.data)
    (sound.data / LINK_KEY).chmod(0o644)
    assert told(code=1)["web door"][2].startswith("run `chmod 600 ")

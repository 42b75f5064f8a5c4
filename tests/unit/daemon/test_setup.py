import os
import subprocess

import pytest

from flatfile_sync.config.settings import load_settings
from flatfile_sync.daemon.lock import held, holder
from flatfile_sync.daemon.setup import ACCOUNT, init
from flatfile_sync.daemon.wiring import HOST_KEYS
from flatfile_sync.domain.failures import ConfigurationError, Refused
from flatfile_sync.sftp import host_keys
from flatfile_sync.store import accounts
from flatfile_sync.store.database import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return init(tmp_path_factory.mktemp("init") / "new" / "flatfile-sync.toml", port=2022)


def test_the_first_start_has_everything_and_secrets_are_for_their_owner_only(made):
    folder = made.settings.data_folder
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in (folder / HOST_KEYS).iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert made.private_key.stat().st_mode & 0o777 == 0o600
    assert made.settings.sftp.port == 2022
    assert (made.settings.projects_folder / "loyalty" / "project.toml").is_file()
    store = Store(made.settings.database)
    try:
        [account] = store.read_now(accounts.listing)
        [key] = store.read_now(lambda conn: accounts.keys(conn, account.name))
    finally:
        store.close()
    assert (account.name, account.project) == (ACCOUNT, "loyalty")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(made.private_key.with_suffix(".pub"))], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] == key.fingerprint


def test_again_it_touches_nothing(made):
    config = made.settings.data_folder.parent / "flatfile-sync.toml"
    before = {file: file.stat().st_mtime_ns for file in config.parent.rglob("*.toml")}
    again = init(config)
    assert (again.files, again.private_key) == ((), None)
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_the_configuration_explains_itself_and_reads_back(made):
    config = made.settings.data_folder.parent / "flatfile-sync.toml"
    text = config.read_text()
    assert "port = 2022" in text
    assert all(line.startswith(("#", "[")) or " = " in line for line in text.splitlines() if line)
    assert load_settings(config) == made.settings


def test_a_host_key_that_others_may_read_is_refused(tmp_path):
    folder = tmp_path / "keys"
    host_keys.make(folder)
    assert len(host_keys.load(folder)) == 3
    (folder / "host_key_rsa").chmod(0o644)
    with pytest.raises(ConfigurationError, match="mode is 0644, expected 0600"):
        host_keys.load(folder)
    (folder / "host_key_rsa").unlink()
    with pytest.raises(ConfigurationError, match="is missing"):
        host_keys.load(folder)


def test_one_data_folder_has_one_daemon(tmp_path):
    assert holder(tmp_path) is None
    with held(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(Refused, match=f"process {os.getpid()}"), held(tmp_path):
            pass
    assert holder(tmp_path) is None

"""New host keys without a break: an OpenSSH client that knew the old one never has to be told."""

import re

import pytest

from flatfile_sync.sftp import host_keys
from tests.builders import kit
from tests.sftp_line import Line

NOT_ASKED = ("StrictHostKeyChecking=yes", "UpdateHostKeys=yes", "HashKnownHosts=no")


@pytest.fixture
def means(sqlite_store, spool, clock):
    return kit(sqlite_store, spool, clock=clock)


async def test_openssh_learns_the_next_keys_and_goes_on_after_the_switch(means, tmp_path):
    """It knew one key; it learns all, proves them, meets the new ones after the switch, forgets the retired."""
    folder, known = tmp_path / "host_keys", tmp_path / "known_hosts"
    host_keys.make(folder)
    async with Line(means, tmp_path, host_keys=folder) as line:
        key = await line.account("acme")
        first = host_keys.load(folder)[0].export_public_key().decode()
        known.write_text(f"[127.0.0.1]:{line.door.port} {' '.join(first.split()[:2])}\n")

        async def connect():
            options = [part for option in (*NOT_ASKED, f"UserKnownHostsFile={known}") for part in ("-o", option)]
            code, said = await line.openssh("acme", *options, key=key)
            assert code == 0, said
            return {text.split()[2] for text in known.read_text().splitlines() if not text.startswith("#")}

        def public(keys):
            return {one.export_public_key().decode().split()[1] for one in keys}

        old = public(host_keys.load(folder))
        assert await connect() == old
        host_keys.make_next(folder)
        await line.door.look_at_keys()
        following = public(host_keys.announced(folder))
        assert len(following) == 3
        assert await connect() == old | following
        host_keys.switch(folder)
        await line.door.look_at_keys()
        assert public(host_keys.load(folder)) == following
        assert await connect() == old | following
        host_keys.retire(folder)
        await line.door.look_at_keys()
        assert await connect() == following


def test_a_switch_that_was_killed_half_way_is_finished_by_the_next(tmp_path):
    """One kind is switched, the others are not: the second call switches only those."""
    host_keys.make(tmp_path)
    host_keys.make_next(tmp_path)
    following = host_keys.announced(tmp_path)
    half = tmp_path / "host_key_ed25519"
    half.with_name("host_key_ed25519.next").replace(half)
    host_keys.switch(tmp_path)
    assert [key.get_fingerprint() for key in host_keys.load(tmp_path)] == [key.get_fingerprint() for key in following]
    names = list(host_keys.fingerprints(tmp_path))
    assert names[3:] == ["host_key_ecdsa.old", "host_key_rsa.old"]
    assert not [name for name in names if re.search("next|new", name)]

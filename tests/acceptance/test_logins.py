"""Who comes in: keys with their limits, certificates, passwords; OpenSSH and paramiko as clients."""

import asyncio
import contextlib
import shutil
import time
from datetime import timedelta
from ipaddress import ip_network

import paramiko
import pytest
import sqlalchemy as sa

from flatfile_sync.domain.bans import BanPolicy
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline import entering
from flatfile_sync.sftp.connection import Login
from flatfile_sync.sftp.passwords import digest
from flatfile_sync.sftp.revocation import Trust
from flatfile_sync.store.tables import accounts
from tests.builders import kit
from tests.doubles import START
from tests.sftp_line import Line

PASSWORD = "correct horse battery staple"
REFUSED = "Permission denied"


@pytest.fixture
def means(sqlite_store, spool, clock):
    return kit(sqlite_store, spool, clock=clock)


async def set_account(means, name, **values):
    statement = sa.update(accounts).where(accounts.c.name == name).values(**values)
    await means.store.write(lambda conn: conn.execute(statement))


async def opens(line, name, key, *options, address="127.0.0.1"):
    code, said = await line.openssh(name, *options, key=key, address=address)
    assert (code == 0) == ("inbox" in said), said
    assert code == 0 or REFUSED in said, said
    return code == 0


class TestKeys:
    async def test_a_key_ends_when_it_was_told_to_and_another_goes_on(self, means, tmp_path):
        """Two keys of one account overlap; after the end of the first only the second opens it."""
        async with Line(means, tmp_path) as line:
            old = await line.account("acme", expires_at=START + timedelta(days=1))
            old = old.rename(tmp_path / "old.key")
            new = await line.account("acme")
            assert await opens(line, "acme", old)
            means.clock.advance(timedelta(days=1))
            assert not await opens(line, "acme", old)
            assert await opens(line, "acme", new)

    async def test_a_key_and_an_account_are_good_from_their_addresses_only(self, means, tmp_path):
        """The right key from elsewhere is refused, by the key's networks and by the account's."""
        async with Line(means, tmp_path) as line:
            key = await line.account("acme", addresses=("127.0.0.0/30", "10.0.0.0/8"))
            assert await opens(line, "acme", key, address="127.0.0.2")
            assert not await opens(line, "acme", key, address="127.0.0.9")
            await set_account(means, "acme", addresses=("127.0.0.1/32",))
            assert not await opens(line, "acme", key, address="127.0.0.2")

    async def test_no_account_opens_with_anothers_key_and_a_disabled_one_not_at_all(self, means, tmp_path):
        """A valid key is valid for its own account, as long as that is on."""
        async with Line(means, tmp_path) as line:
            acme = await line.account("acme")
            await line.account("bistro")
            assert not await opens(line, "bistro", acme)
            await set_account(means, "acme", disabled_at=START)
            assert not await opens(line, "acme", acme)

    async def test_a_connection_has_so_many_tries(self, means, tmp_path):
        """After three keys the connection ends, although a fourth would be right."""
        async with Line(means, tmp_path, tries=3) as line:
            right = await line.account("acme")
            transport = await asyncio.to_thread(_transport, line)
            for _ in range(3):
                wrong = await asyncio.to_thread(paramiko.ECDSAKey.generate)
                with pytest.raises(paramiko.AuthenticationException, match=r"failed\.$"):
                    await asyncio.to_thread(transport.auth_publickey, "acme", wrong)
            with pytest.raises(paramiko.SSHException):
                await asyncio.to_thread(
                    transport.auth_publickey, "acme", paramiko.Ed25519Key.from_private_key_file(str(right))
                )
            await line.until(lambda: not transport.is_active())
            assert means.tally.counts(Figure.LOGINS) == {("key", "refused"): 3}

    async def test_an_account_has_so_many_connections(self, means, tmp_path):
        """The second connection beyond the cap is sent away; the first goes on."""
        async with Line(means, tmp_path, connections_per_account=1) as line:
            key = paramiko.Ed25519Key.from_private_key_file(str(await line.account("acme")))
            first, second = [await asyncio.to_thread(_transport, line) for _ in range(2)]
            await asyncio.to_thread(first.auth_publickey, "acme", key)
            client = await asyncio.to_thread(paramiko.SFTPClient.from_transport, first)
            with contextlib.suppress(paramiko.SSHException):
                await asyncio.to_thread(second.auth_publickey, "acme", key)
            await line.until(lambda: not second.is_active())
            assert "inbox" in await asyncio.to_thread(client.listdir, "/")
            first.close()


class TestHooks:
    @pytest.mark.parametrize("answer", [None, 0, 1, "yes", ValueError("broken"), TimeoutError(), KeyError("x")])
    async def test_whatever_is_not_a_literal_yes_is_a_no(self, means, tmp_path, monkeypatch, answer):
        """An error, nothing, or something that only looks true: nobody comes in by it."""

        def wrong(*_, **__):
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(entering, "may_enter_by_key", wrong)
        async with Line(means, tmp_path) as line:
            assert not await opens(line, "acme", await line.account("acme"))

    def test_authentication_always_begins(self):
        """asyncssh lets the client in where this says anything but True."""
        assert Login().begin_auth("acme") is True

    @pytest.mark.parametrize("name", ["ac\0me", "acme\n", "../acme", "nobody", "x" * 200, "\uff41cme\u2024"])
    async def test_strange_names_are_refused_as_unknown_ones(self, means, tmp_path, name):
        """No name makes an error, and none is another name."""
        async with Line(means, tmp_path) as line:
            key = paramiko.Ed25519Key.from_private_key_file(str(await line.account("acme")))
            transport = await asyncio.to_thread(_transport, line)
            with pytest.raises(paramiko.SSHException):
                await asyncio.to_thread(transport.auth_publickey, name, key)
            assert not transport.is_authenticated()
            transport.close()


class TestCertificates:
    @pytest.fixture
    async def signed(self, means, tmp_path):
        """A door that believes an authority, and `sign(*options)`, which gives a key with its certificate."""
        if shutil.which("ssh-keygen") is None:
            raise AssertionError("OpenSSH's ssh-keygen is missing; `apt-get install openssh-client` brings it.")
        await keygen("-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ca")
        revoked = tmp_path / "revoked"
        revoked.write_text("# nothing yet\n")
        async with Line(means, tmp_path, trust=Trust(tmp_path / "ca.pub", revoked)) as line:
            await line.account("acme")
            await line.account("bistro")
            made = iter(range(100))

            async def sign(*options):
                key = tmp_path / f"user{next(made)}"
                await keygen("-q", "-t", "ed25519", "-N", "", "-f", key)
                await keygen("-q", "-s", tmp_path / "ca", "-I", "an id", *options, f"{key}.pub")
                return key

            line.sign, line.revoked = sign, revoked
            yield line

    async def test_a_certificate_opens_the_account_that_it_names(self, signed, means):
        """Its principal is the account's name; no other account opens, and the login says how."""
        key = await signed.sign("-n", "acme")
        assert await opens(signed, "acme", key)
        assert not await opens(signed, "bistro", key)
        assert means.tally.counts(Figure.LOGINS)["certificate", "ok"] == 1

    @pytest.mark.parametrize(
        "options",
        [
            (),
            ("-n", "bistro"),
            ("-n", "acme", "-V", "20200101:20200102"),
            ("-n", "acme", "-O", "source-address=10.0.0.0/8"),
            ("-h", "-n", "acme"),
        ],
        ids=["no principal", "another principal", "expired", "another address", "of a host"],
    )
    async def test_a_certificate_that_does_not_fit_is_refused(self, signed, options):
        """Without principals, of another account, past its end, from elsewhere, or a host's."""
        assert not await opens(signed, "acme", await signed.sign(*options))

    async def test_of_another_authority_none_is_believed(self, signed, tmp_path):
        """Signed by somebody, but not by whom we believe."""
        await keygen("-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other")
        key = await signed.sign("-n", "acme")
        await keygen("-q", "-s", tmp_path / "other", "-I", "an id", "-n", "acme", f"{key}.pub")
        assert not await opens(signed, "acme", key)

    @pytest.mark.parametrize("line", ["serial: 7", "serial: 5-9", "id: an id", "{key}", "key: {key}", "key: {ca}"])
    async def test_what_is_called_back_opens_nothing_from_then_on(self, signed, tmp_path, line):
        """By serial, range, id, key or authority, without a restart."""
        key = await signed.sign("-n", "acme", "-z", "7")
        assert await opens(signed, "acme", key)
        texts = {"key": key.with_suffix(".pub").read_text().strip(), "ca": (tmp_path / "ca.pub").read_text().strip()}
        signed.revoked.write_text(line.format(**texts) + "\n")
        assert not await opens(signed, "acme", key)

    async def test_a_broken_list_of_what_is_called_back_lets_nobody_in(self, signed):
        """Who cannot tell what is revoked believes nobody."""
        key = await signed.sign("-n", "acme")
        signed.revoked.write_text("serail: 7\n")
        assert not await opens(signed, "acme", key)


WITH_PASSWORDS = {"passwords": True, "refusal_seconds": 0.05, "tries": 50}


class TestPasswords:
    async def test_where_they_are_not_switched_on_they_are_not_offered(self, means, tmp_path):
        """The default: a password is not even asked for."""
        async with Line(means, tmp_path) as line:
            await line.account("acme")
            await set_account(means, "acme", password=digest(PASSWORD))
            with pytest.raises(paramiko.BadAuthenticationType) as found:
                await asyncio.to_thread(_by_password, line, "acme", PASSWORD)
            assert found.value.allowed_types == ["publickey"]

    async def test_the_right_one_opens_by_both_methods_and_no_other(self, means, tmp_path):
        """Password and keyboard-interactive; an account without a password has none that is right."""
        async with Line(means, tmp_path, **WITH_PASSWORDS) as line:
            await line.account("acme")
            await line.account("bistro")
            await set_account(means, "acme", password=digest(PASSWORD))
            await asyncio.to_thread(_by_password, line, "acme", PASSWORD)
            await asyncio.to_thread(_by_questions, line, "acme", PASSWORD)
            for name, password in (("acme", "wrong"), ("acme", ""), ("bistro", PASSWORD), ("nobody", PASSWORD)):
                with pytest.raises(paramiko.AuthenticationException):
                    await asyncio.to_thread(_by_password, line, name, password)
                with pytest.raises(paramiko.AuthenticationException):
                    await asyncio.to_thread(_by_questions, line, name, password)

    async def test_an_unknown_account_is_refused_as_late_and_in_the_same_words(self, means, tmp_path):
        """Neither the methods offered nor the time say whether there is an account."""
        async with Line(means, tmp_path, **WITH_PASSWORDS) as line:
            await line.account("acme")
            await set_account(means, "acme", password=digest(PASSWORD))
            took, said = {"acme": [], "nobody": []}, set()
            for _ in range(3):
                for name, times in took.items():
                    started = time.perf_counter()
                    with pytest.raises(paramiko.AuthenticationException) as found:
                        await asyncio.to_thread(_by_password, line, name, "wrong")
                    times.append(time.perf_counter() - started)
                    said.add(str(found.value))
        assert len(said) == 1
        # Without the work for nobody it would be over in a tenth of it; the machine may be busy.
        assert min(took["nobody"]) > min(took["acme"]) / 2

    async def test_guesses_lock_the_passwords_of_a_name_and_never_its_keys(self, means, tmp_path):
        """From many addresses; the right password is refused then, the key opens."""
        rules = WITH_PASSWORDS | {"guesses": BanPolicy(strikes=2), "unbanned": [ip_network("127.0.0.0/8")]}
        async with Line(means, tmp_path, **rules) as line:
            key = await line.account("acme")
            await set_account(means, "acme", password=digest(PASSWORD))
            for _ in range(2):
                with pytest.raises(paramiko.AuthenticationException):
                    await asyncio.to_thread(_by_password, line, "acme", "wrong")
            await line.until(lambda: not line.door.busy)
            with pytest.raises(paramiko.AuthenticationException):
                await asyncio.to_thread(_by_password, line, "acme", PASSWORD)
            assert await opens(line, "acme", key)


async def keygen(*options):
    process = await asyncio.create_subprocess_exec("ssh-keygen", *map(str, options))
    assert await process.wait() == 0


def _transport(line):
    transport = paramiko.Transport(("127.0.0.1", line.door.port))
    transport.start_client(timeout=20)
    return transport


def _by_password(line, name, password):
    transport = _transport(line)
    try:
        transport.auth_password(name, password, fallback=False)
        assert "inbox" in paramiko.SFTPClient.from_transport(transport).listdir("/")
    finally:
        transport.close()


def _by_questions(line, name, password):
    transport = _transport(line)
    try:
        transport.auth_interactive(name, lambda _title, _told, questions: [password] * len(questions))
        assert "inbox" in paramiko.SFTPClient.from_transport(transport).listdir("/")
    finally:
        transport.close()

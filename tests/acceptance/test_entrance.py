"""Before the banner: who hears from us at all. Real sockets from many loopback addresses, and OpenSSH."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network

import pytest

from flatfile_sync.domain.bans import BanPolicy
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.tally import Figure
from flatfile_sync.sftp.entrance import listen
from flatfile_sync.store import accounts, audit, bans
from tests.builders import kit
from tests.sftp_line import Line, hang_up

BANNER = b"SSH-2.0-"
GREEDY, POLITE = "127.0.0.66", "127.0.0.7"


@pytest.fixture
def means(store, spool, clock):
    return kit(store, spool, clock=clock)


@pytest.fixture
def embedded(sqlite_store, spool, clock):
    return kit(sqlite_store, spool, clock=clock)


async def test_openssh_comes_in_with_its_key_and_the_login_is_written_down(means, tmp_path):
    """The way in still is one: a key, a listing, a line in the trail, counts."""
    async with Line(means, tmp_path) as line:
        key = await line.account("acme")
        code, said = await line.openssh("acme", key=key)
        assert code == 0, said
        assert "inbox" in said
        assert means.tally.counts(Figure.LOGINS) == {("key", "ok"): 1}
        assert means.tally.counts(Figure.CONNECTIONS) == {("accepted",): 1}
        # It is written beside the session, which does not wait for it.
        async with asyncio.timeout(20):
            while not (logins := await means.store.read(lambda conn: audit.events(conn, "login"))):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
    [login] = logins
    assert login["address"] == "127.0.0.1"
    assert login["method"] == "key"
    assert (await means.store.read(lambda conn: accounts.by_name(conn, "acme"))).last_login_at == means.clock()


async def test_who_is_denied_or_not_allowed_hears_nothing(embedded, tmp_path):
    """No byte of ours goes to them; denied comes before allowed."""
    allowed, denied = [ip_network("127.0.0.0/28")], [ip_network("127.0.0.2")]
    async with Line(embedded, tmp_path, allowed=allowed, denied=denied) as line:
        assert (await line.heard("127.0.0.1")).startswith(BANNER)
        assert await line.heard("127.0.0.2") == b""
        assert await line.heard("127.0.0.200") == b""
        assert embedded.tally.counts(Figure.CONNECTIONS) == {("accepted",): 1, ("denied",): 2}


async def test_failed_logins_ban_an_address_and_a_restart_does_not_end_it(means, tmp_path):
    """Three connections with a wrong key; then no banner, not from another door on the same store either."""
    rules = {"bans": BanPolicy(strikes=3)}
    async with Line(means, tmp_path, **rules) as line:
        await line.account("acme")
        stranger = await line.account("other")
        for _ in range(3):
            code, said = await line.openssh("acme", key=stranger, address=GREEDY)
            assert code == 255
            assert "Permission denied" in said
        await line.until(lambda: means.tally.counts(Figure.BANS))
        assert await line.heard(GREEDY) == b""
        assert (await line.heard(POLITE)).startswith(BANNER)
    async with Line(means, tmp_path, **rules) as line:
        assert await line.heard(GREEDY) == b""
        means.clock.advance(timedelta(minutes=61))
        await line.door.look_again()
        assert (await line.heard(GREEDY)).startswith(BANNER)
    [told] = await means.store.read(lambda conn: audit.events(conn, "address_banned"))
    assert told["address"] == GREEDY


async def test_a_lifted_ban_is_over(means, tmp_path):
    """An operator lifts it beside the daemon, which looks again."""
    async with Line(means, tmp_path, bans=BanPolicy(strikes=1)) as line:
        stranger = await line.account("other")
        await line.openssh("acme", key=stranger, address=GREEDY)
        await line.until(lambda: means.tally.counts(Figure.BANS))
        assert await means.store.write(lambda conn: bans.lift(conn, GREEDY))
        await line.door.look_again()
        assert (await line.heard(GREEDY)).startswith(BANNER)


async def test_who_is_never_banned_is_not(embedded, tmp_path):
    """Failures of an address that is exempt are counted and cost it nothing."""
    rules = {"bans": BanPolicy(strikes=1), "unbanned": [ip_network("127.0.0.0/24")]}
    async with Line(embedded, tmp_path, **rules) as line:
        stranger = await line.account("other")
        for _ in range(2):
            assert "Permission denied" in (await line.openssh("acme", key=stranger))[1]
        assert (await line.heard()).startswith(BANNER)
        assert embedded.tally.counts(Figure.LOGINS)["key", "refused"] == 2
    assert await embedded.store.read(lambda conn: bans.standing(conn, "127.0.0.1")) is None


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 127.9.9.9 127.0.0.1 1000 22\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\x09\x09\x09\x7f\0\0\x01\x03\xe8\0\x16",
    ],
)
async def test_behind_a_trusted_proxy_the_client_is_judged_not_the_proxy(embedded, tmp_path, header):
    """Version 1 and 2: banner for a client that may come, none for one that is denied, though the proxy is the same."""
    proxies = [ip_network("127.0.0.3")]
    async with Line(embedded, tmp_path, proxies=proxies) as line:
        assert (await line.heard("127.0.0.3", say=header + b"SSH-2.0-x\r\n")).startswith(BANNER)
    async with Line(embedded, tmp_path, proxies=proxies, denied=[ip_network("127.9.0.0/16")]) as line:
        assert await line.heard("127.0.0.3", say=header) == b""
        assert embedded.tally.counts(Figure.CONNECTIONS) == {("accepted",): 1, ("denied",): 1}


async def test_only_a_trusted_proxy_is_believed_and_only_with_a_header(embedded, tmp_path):
    """A stranger's header is no SSH and changes nothing about who it is; a proxy without one is cut off."""
    async with Line(embedded, tmp_path, proxies=[ip_network("127.0.0.3")], denied=[ip_network("127.0.0.9")]) as line:
        lie = b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"
        assert await line.heard("127.0.0.9", say=lie) == b""
        assert await line.heard("127.0.0.3", say=b"SSH-2.0-x\r\n") == b""
        assert await line.heard("127.0.0.3", say=b"PROXY UNKNOWN\r\n") == b""
        assert embedded.tally.counts(Figure.CONNECTIONS) == {
            ("denied",): 1,
            ("bad_proxy_header",): 1,
            ("proxy_itself",): 1,
        }


async def test_a_thousand_connects_are_bounded_and_a_partner_comes_in_beside_them(embedded, tmp_path):
    """Ten greedy addresses with a hundred sockets each: no more places than there are, and another logs in at once."""
    async with Line(embedded, tmp_path, strangers=40, strangers_per_address=5) as line:
        key = await line.account("acme")
        held = []
        try:
            for number in range(1000):
                with_address = f"127.0.1.{number % 10}"
                held.append(await line.raw(with_address))
            await line.until(lambda: sum(embedded.tally.counts(Figure.CONNECTIONS).values()) >= 1000)
            assert line.door.places.waiting() <= 40
            started = asyncio.get_running_loop().time()
            code, said = await line.openssh("acme", key=key)
            assert code == 0, said
            assert asyncio.get_running_loop().time() - started < 10  # two seconds on a machine of its own
        finally:
            for _, writer in held:
                await hang_up(writer)
        await line.until(lambda: len(line.door.places) == 0)


@pytest.mark.parametrize("begun", [b"", b"SSH-2.0-slow\r\n", b"SSH-2.0-slow\r\n\0\0\1"])
async def test_who_is_slow_is_cut_off_and_it_counts_against_them(embedded, tmp_path, begun):
    """Silence, a name alone, half a packet: all end at the deadline and are a strike."""
    async with Line(embedded, tmp_path, login_seconds=1.0) as line:
        reader, writer = await line.raw(GREEDY)
        writer.write(begun)
        await asyncio.wait_for(reader.read(1 << 20), 10)
        try:
            while await asyncio.wait_for(reader.read(1 << 16), 10):
                pass
        except ConnectionError:
            pass
        await line.until(lambda: len(line.door.places) == 0 and not line.door.busy)
        await hang_up(writer)
    assert (await embedded.store.read(lambda conn: bans.standing(conn, GREEDY))).strikes == 1


async def test_a_port_in_use_is_told_as_a_setting(embedded, tmp_path):
    """Two daemons on one port: the second says which setting it is about."""
    async with Line(embedded, tmp_path) as line:
        with pytest.raises(ConfigurationError, match=r"sftp\.port \d+: cannot be listened on"):
            listen("127.0.0.1", line.door.port)

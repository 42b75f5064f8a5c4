"""The door against clients that mean no good, are slow, or many."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
from datetime import UTC, datetime
from ipaddress import ip_network

import httpx
import pytest

from flatfile_sync.domain.failures import ConfigurationError, Refused, StaleEpochError, TemporaryFailure
from flatfile_sync.web.answers import answer
from flatfile_sync.web.app import application
from flatfile_sync.web.connections import Patience, Places
from flatfile_sync.web.door import Door
from flatfile_sync.web.guard import MOST_BODY
from flatfile_sync.web.rates import Rates
from flatfile_sync.web.tls import Tls
from tests.tls import server_pem
from tests.web_line import LOOPBACK, FakeMonotonic, Site, opened, running, trust, whole

SOON = Patience(handshake=0.3, head=0.3, request=0.6)


@pytest.fixture
def site(sqlite_store, clock):
    return Site(store=sqlite_store, clock=clock)


def door(site, *, tls=None, places=None, patience=None, **guard):
    return Door(
        site.guard(**guard),
        host="127.0.0.1",
        port=0,
        places=Places(most=100, trusted=LOOPBACK) if places is None else places,
        patience=patience,
        tls=tls,
    )


async def raw(port, data, *, context=None):
    """Send bytes and return what comes until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(data)
    told = b""
    try:
        async with asyncio.timeout(20):
            while more := await reader.read(1 << 16):
                told += more
    except ConnectionError:
        return told  # it was cut off; what came before that counts
    else:
        return told
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def until(ready):
    """Wait until something is so that nobody tells of."""
    async with asyncio.timeout(10):
        while not ready():  # noqa: ASYNC110 - the other end of a connection sends no event here
            await asyncio.sleep(0.01)


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(site):
    """By its told length at once; without one, as soon as it is longer than any we ask for."""
    async with running(door(site)) as found:
        told = await raw(found.port, b"POST /v1/log HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 413 ")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        head = b"POST /v1/log HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await raw(found.port, head + chunk * 3)).startswith(b"HTTP/1.1 413 ")
        async with httpx.AsyncClient(base_url=found.address) as client:
            fits = json.dumps({"logs": ["x" * (MOST_BODY - 20)]})
            assert (await client.post("/v1/log", content=fits)).status_code == 200
            assert (await client.post("/v1/log", content=fits + " " * 40)).status_code == 413


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ", id="half a head"),
        pytest.param(b"POST /v1/log HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", id="half a body"),
    ],
)
@pytest.mark.parametrize("private", [False, True])
async def test_who_takes_too_long_is_cut_off(site, tmp_path, data, private):
    """A connection costs a place; whoever holds one without asking anything loses it."""
    (tmp_path / "server.pem").write_bytes(server_pem())
    places = Places(most=100, trusted=LOOPBACK)
    tls = Tls(tmp_path / "server.pem") if private else None
    async with running(door(site, tls=tls, places=places, patience=SOON)) as found:
        assert await raw(found.port, data, context=trust() if private else None) == b""
        await until(lambda: not len(places))


async def test_who_never_begins_a_handshake_is_cut_off(site, tmp_path):
    """A place is taken before the handshake, so that thousands of silent ones do not use up the file descriptors."""
    (tmp_path / "server.pem").write_bytes(server_pem())
    places = Places(most=5, trusted=LOOPBACK)
    async with running(door(site, tls=Tls(tmp_path / "server.pem"), places=places, patience=SOON)) as found:
        silent = [asyncio.create_task(raw(found.port, b"")) for _ in range(5)]
        await until(lambda: len(places) == 5)
        assert await raw(found.port, b"") == b""
        assert await asyncio.gather(*silent) == [b""] * 5
        assert await raw(found.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        await until(lambda: not len(places))
        async with httpx.AsyncClient(base_url=found.address, verify=trust()) as client:
            assert (await client.get("/robots.txt")).status_code == 200


async def test_who_does_not_read_the_answer_is_cut_off(site):
    """Megabytes that nobody takes do not stay in memory."""
    app = application([])

    @app.get("/large")
    async def large():
        from starlette.responses import Response  # noqa: PLC0415

        return Response(b"x" * (32 << 20))

    places = Places(most=100, trusted=LOOPBACK)
    async with running(door(site, app=app, places=places, patience=SOON)) as found:
        with socket.create_connection(("127.0.0.1", found.port)) as slow:
            slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: len(places) == 1)
            await until(lambda: not len(places))


async def test_connections_of_one_address_come_to_an_end(site):
    """More than its share are closed at once; a trusted proxy has no share, only the whole."""
    nobody = Places(most=100, trusted=(), per_address=3)
    async with running(door(site, places=nobody)) as found:
        held = [await asyncio.open_connection("127.0.0.1", found.port) for _ in range(3)]
        assert await raw(found.port, b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") == b""
        held[0][1].close()
        await until(lambda: len(nobody) == 2)
        told = await raw(found.port, b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 200 ")
        for _, writer in held[1:]:
            writer.close()


async def test_an_address_that_asks_too_often_waits_and_others_do_not(site):
    """429 with the seconds to wait; who is behind a trusted proxy counts for themselves, an IPv6 household as one."""
    rates = Rates(rate=1, burst=2, monotonic=site.monotonic)
    async with running(door(site, by_address=rates)) as found, httpx.AsyncClient(base_url=found.address) as client:

        async def ask(address):
            return await client.get("/robots.txt", headers={"X-Forwarded-For": address})

        assert [(await ask("203.0.113.1")).status_code for _ in range(3)] == [200, 200, 429]
        assert (await ask("203.0.113.1")).headers["retry-after"] == "1"
        assert (await ask("203.0.113.2")).status_code == 200
        statuses = [(await ask(f"2001:db8:0:1::{number}")).status_code for number in range(3)]
        assert statuses == [200, 200, 429]
        assert (await ask("2001:db8:0:2::1")).status_code == 200
        # Whatever a client writes in front of what the proxy saw does not count.
        assert (await ask("198.51.100.7, 203.0.113.1")).status_code == 429
        assert (await ask("::ffff:203.0.113.1")).status_code == 429
        site.monotonic.now += 1
        assert (await ask("203.0.113.1")).status_code == 200


async def test_who_is_no_trusted_proxy_speaks_for_itself(site):
    """X-Forwarded-For of a stranger changes nothing."""
    rates = Rates(rate=1, burst=2, monotonic=site.monotonic)
    strict = door(site, by_address=rates, trusted=(ip_network("10.0.0.0/8"),))
    async with running(strict) as found, httpx.AsyncClient(base_url=found.address) as client:
        statuses = [
            (await client.get("/robots.txt", headers={"X-Forwarded-For": f"203.0.113.{number}"})).status_code
            for number in range(3)
        ]
        assert statuses == [200, 200, 429]
        told = await client.get("/robots.txt", headers={"X-Forwarded-Proto": "https"})
        assert "strict-transport-security" not in told.headers


async def test_all_together_have_a_limit_that_health_does_not_share(site):
    """A flood does not look like a daemon that is dead."""
    total = Rates(rate=1, burst=1, monotonic=site.monotonic)
    async with running(door(site, total=total)) as found, httpx.AsyncClient(base_url=found.address) as client:
        assert [(await client.get("/robots.txt")).status_code for _ in range(2)] == [200, 429]
        assert (await client.get("/livez")).status_code == 404  # there is none in this application; it was let through


def test_an_address_is_forgotten_when_many_others_have_asked():
    """Memory has an upper bound, whoever comes."""
    rates = Rates(rate=1, burst=1, monotonic=FakeMonotonic(), remembered=100)
    for number in range(1000):
        assert rates.wait(number) == 0
    assert len(rates) == 100
    assert rates.wait(999) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/images/../../etc/passwd",
        "/images/..%2f..%2fetc%2fpasswd",
        "/images/%00",
        "/images/" + "a" * 63,
        "/images/" + "A" * 64,
        "/v1/passes/pass.example.card/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/passes/pass.example.card/%0d%0aX-Injected:%201",
        "/v1/devices/%2e%2e/registrations/pass.example.card",
        "/v1/devices/" + "d" * 200 + "/registrations/pass.example.card",
        "//etc/passwd",
        "/openapi.json",
        "/docs",
        "/p/",
        "/p/%0d%0aSet-Cookie:%20a",
        "/metrics/",
    ],
)
async def test_no_path_leads_anywhere_it_should_not(site, tmp_path, path):
    """What is no address of ours is 4xx or an empty list, says nothing of what was asked, and sets no header."""
    async with opened(whole(site, tmp_path)) as client:
        data = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        told = await raw(client.base_url.port, data)
    head, _, body = told.partition(b"\r\n\r\n")
    assert int(head.split()[1]) in {204, 400, 401, 404}
    assert b"root:" not in body
    assert b"Injected" not in told
    assert b"set-cookie" not in head.lower()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /robots.txt HTTP/1.1\r\n\r\n",
        b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
        b"GET /robots.txt HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_400_and_the_door_stays_open(site, data):
    """No traceback, no line in the log that a client could fill a disk with."""
    async with running(door(site, patience=SOON)) as found:
        told = await raw(found.port, data)
        assert told[:13] in {b"HTTP/1.1 400 ", b"HTTP/1.1 404 ", b"HTTP/1.1 431 ", b""}
        assert b"Traceback" not in told
        async with httpx.AsyncClient(base_url=found.address) as client:
            assert (await client.get("/robots.txt")).status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("secret"), 403),
        (TemporaryFailure("secret"), 503),
        (StaleEpochError("secret"), 503),
        (ConfigurationError("secret"), 500),
        (RuntimeError("secret"), 500),
    ],
)
async def test_errors_have_one_table_and_none_is_told(site, error, status, capsys):
    """The text of an error may quote a partner's data: it is neither answered nor logged."""
    app = application([])

    @app.get("/broken")
    async def broken():
        raise error

    async with running(door(site, app=app)) as found, httpx.AsyncClient(base_url=found.address) as client:
        told = await client.get("/broken")
        assert told.status_code == status
        assert "secret" not in told.text
        assert told.headers["x-content-type-options"] == "nosniff"
        assert ("retry-after" in told.headers) is (status == 503)
    assert "secret" not in "".join(capsys.readouterr())
    assert site.counted == [("/broken", "GET", status)]
    assert answer(error).status_code == status


async def test_requests_are_counted_by_their_route_never_by_their_address(site):
    """Labels have few values, whatever is asked."""
    async with running(door(site)) as found, httpx.AsyncClient(base_url=found.address) as client:
        await client.get("/v1/devices/d/registrations/pass.example.card")
        await client.get("/nothing/here")
        await client.request("FROBNICATE", "/robots.txt")
    assert site.counted == [
        ("/v1/devices/{device}/registrations/{identifier}", "GET", 204),
        ("none", "GET", 404),
        ("/robots.txt", "other", 405),
    ]


async def test_a_certificate_that_is_renewed_is_used_without_a_restart(site, tmp_path):
    """New handshakes show the new one; a file that cannot be used leaves the old one in place."""
    file = tmp_path / "server.pem"
    file.write_bytes(server_pem(serial=1))
    tls = Tls(file)

    async def serial(port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust())
        told = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        writer.close()
        return int(told, 16)

    async with running(door(site, tls=tls)) as found:
        assert await serial(found.port) == 1
        assert not tls.look()
        file.write_bytes(server_pem(serial=2, not_after=datetime(2030, 1, 1, tzinfo=UTC)))
        os.utime(file, (1, 1))
        assert tls.look()
        assert await serial(found.port) == 2
        assert tls.not_after == datetime(2030, 1, 1, tzinfo=UTC)
        file.write_text("nothing")
        os.utime(file, (2, 2))
        with pytest.raises(ConfigurationError, match=r"web\.certificate_file"):
            tls.look()
        assert await serial(found.port) == 2
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", found.port, ssl=old)


async def test_a_port_that_is_taken_says_which_and_what_to_do(site):
    """The daemon does not start half."""
    async with running(door(site)) as first:
        second = door(site)
        second.port = first.port
        with pytest.raises(ConfigurationError, match=rf"web\.port: 127\.0\.0\.1:{first.port} cannot be listened on"):
            await second.run(asyncio.Event())


async def test_stopping_lets_running_requests_end_and_cuts_off_the_rest(site):
    """An answer that is being made is sent; a connection that only stays is closed."""
    app, begun, go_on = application([]), asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow():
        begun.set()
        await go_on.wait()
        return {"done": True}

    async with running(door(site, app=app)) as found, httpx.AsyncClient(base_url=found.address) as client:
        idle = await asyncio.open_connection("127.0.0.1", found.port)
        asked = asyncio.create_task(client.get("/slow"))
        await begun.wait()
        found.stop()
        found.stop()
        go_on.set()
        assert (await asked).json() == {"done": True}
        assert await idle[0].read() == b""
        idle[1].close()

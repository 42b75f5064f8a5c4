"""The PassKit web service, as a strict device sees it over TLS, and as somebody does who means no good."""

import asyncio
import threading
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
import sqlalchemy as sa

from flatfile_sync.domain.tally import Figure
from flatfile_sync.store import registrations
from flatfile_sync.wallets.apple.issuing import Issuer
from flatfile_sync.web.passkit import MOST_DEVICES
from tests.apple_keys import PASS_TYPE_IDENTIFIER
from tests.marks import needs_openssl
from tests.web_line import Site, change

pytestmark = needs_openssl


@pytest.fixture
def site(store, clock):
    return Site(store=store, clock=clock)


@pytest.fixture
def lite(sqlite_store, clock):
    return Site(store=sqlite_store, clock=clock)


def gold(number=1):
    return {"memberId": f"M{number}"}, {"additionalData.points": 100, "additionalData.tier": "Gold"}, 0, 0


def registration(serial, device="d" * 32, identifier=PASS_TYPE_IDENTIFIER):
    return f"/v1/devices/{device}/registrations/{identifier}/{serial}"


def shown(site, serial):
    return {"Authorization": f"ApplePass {site.token(serial)}"}


async def test_a_device_registers_fetches_a_change_and_shows_its_text(site, tmp_path):
    """The whole way: a pass is added, changes, and the holder reads the new points on the lock screen."""
    (serial,) = site.seed(gold())
    async with site.open(tmp_path):
        device = site.device()
        await device.add(await site.pkpass(serial))
        assert site.row(serial).apple == 1
        await device.wake()
        site.change(serial, **{"additionalData.points": 250})
        await device.wake()
        await device.wake()
    assert (device.faults, device.posted) == ([], [])
    assert device.shown == ["You now have 250 points"]
    assert site.fetched == [(site.row(serial).no, 1), (site.row(serial).no, 2)]


async def test_a_new_push_token_counts_although_the_answer_is_200(site, tmp_path):
    """Apple's devices tell a new token by registering again."""
    (serial,) = site.seed(gold())
    async with site.open(tmp_path):
        device = site.device()
        await device.add(await site.pkpass(serial))
        before = device.push_token
        await device.rotate_token()
        assert site.tokens(serial) == (device.push_token,)
        assert before != device.push_token
        assert site.row(serial).apple == 1
    assert device.faults == []


async def test_a_device_that_becomes_another_is_counted_until_it_goes(site, tmp_path):
    """After a restore a phone has a new library identifier; a pass that is removed has one device less."""
    (serial,) = site.seed(gold())
    async with site.open(tmp_path):
        device = site.device()
        await device.add(await site.pkpass(serial))
        await device.rotate_library()
        assert site.row(serial).apple == 2
        await device.remove(serial)
        assert site.row(serial).apple == 1
    assert device.faults == []


async def test_one_push_tells_of_all_passes_that_changed_at_different_times(site, tmp_path):
    """The list names what changed since the tag of this device, not what changed last."""
    first, second, third = site.seed(gold(1), gold(2), gold(3))
    async with site.open(tmp_path):
        device = site.device()
        for serial in (first, second):
            await device.add(await site.pkpass(serial))
        await device.wake()
        site.change(first, **{"additionalData.points": 1})
        site.change(second, third, **{"additionalData.points": 2})
        await device.wake()
    assert device.faults == []
    assert sorted(device.shown) == ["You now have 1 points", "You now have 2 points"]


async def test_two_changes_within_a_second_are_both_seen(site, tmp_path):
    """Last-Modified has whole seconds, so it rises by one for each change of a pass, whatever the clock says."""
    (serial,) = site.seed(gold())
    async with site.open(tmp_path):
        device = site.device()
        await device.add(await site.pkpass(serial))
        await device.wake()
        for points in (1, 2, 3):
            site.change(serial, **{"additionalData.points": points})
            await device.wake()
    assert (device.faults, device.posted) == ([], [])
    assert device.shown == [f"You now have {points} points" for points in (1, 2, 3)]


async def test_what_a_device_has_already_is_not_sent_again(lite, tmp_path):
    """304, for the same moment and for later ones; a date that is none is no reason not to answer."""
    (serial,) = lite.seed(gold())
    lite.change(serial, **{"additionalData.points": 1})
    path = f"/v1/passes/{PASS_TYPE_IDENTIFIER}/{serial}"
    async with lite.open(tmp_path), lite.client(headers=shown(lite, serial)) as client:
        await lite.pkpass(serial)
        first = await client.get(path)
        moment = parsedate_to_datetime(first.headers["last-modified"])
        assert (first.status_code, moment) == (200, lite.clock().replace(microsecond=0))
        for since, status in (
            (first.headers["last-modified"], 304),
            ("Fri, 01 Jan 2100 00:00:00 GMT", 304),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
            ("yesterday", 200),
            ("Sat, 01 Aug 2026 04:03:12", 200),
            ("Sat, 99 Aug 99999 04:03:12 GMT", 200),
        ):
            answer = await client.get(path, headers={"If-Modified-Since": since})
            assert (answer.status_code, bool(answer.content)) == (status, status == 200), since
            assert answer.headers["last-modified"] == first.headers["last-modified"]
    assert lite.issued == 1


async def test_head_says_what_get_would(lite, tmp_path):
    """HEAD is seen in the field; it has the headers and no body, and does not count as fetched."""
    (serial,) = lite.seed(gold())
    async with lite.open(tmp_path):
        device = lite.device()
        await device.add(await lite.pkpass(serial))
        answer = await device.head(serial)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
        assert int(answer.headers["content-length"]) == len(await lite.pkpass(serial))
        assert "last-modified" in answer.headers
    assert (device.faults, lite.fetched) == ([], [])


async def test_nobody_learns_whether_a_pass_exists(lite, tmp_path):
    """Without its token, a pass that is there and one that is not are answered alike, to the byte."""
    (serial, other) = lite.seed(gold(1), gold(2))
    async with lite.open(tmp_path), lite.client() as client:
        await lite.pkpass(serial)
        answers = set()
        for asked in (serial, "no-such-pass", other):
            for value in (None, "", "ApplePass", "ApplePass x", f"ApplePass {lite.token(other)[:-1]}", "Bearer x"):
                headers = {} if value is None else {"Authorization": value}
                for method, path, body in (
                    ("POST", registration(asked), {"pushToken": "ab" * 32}),
                    ("DELETE", registration(asked), None),
                    ("GET", f"/v1/passes/{PASS_TYPE_IDENTIFIER}/{asked}", None),
                ):
                    answer = await client.request(method, path, json=body, headers=headers)
                    told = {name: text for name, text in answer.headers.items() if name != "date"}
                    answers.add((answer.status_code, answer.content, tuple(sorted(told.items()))))
        assert len(answers) == 1
        assert next(iter(answers))[0] == 401
        # The right token under another pass type is as wrong, and `other` was never issued: it has no token yet.
        for path in (f"/v1/passes/pass.example.other/{serial}", f"/v1/passes/{PASS_TYPE_IDENTIFIER}/{other}"):
            asked = path.rpartition("/")[2]
            assert (await client.get(path, headers=shown(lite, asked))).status_code == 401
    assert lite.row(serial).apple == 0


async def test_a_device_nobody_knows_has_no_passes(lite, tmp_path):
    """204, whatever is asked: the list is behind an identifier that only the device knows."""
    async with lite.open(tmp_path), lite.client() as client:
        for path in (
            f"/v1/devices/stranger/registrations/{PASS_TYPE_IDENTIFIER}",
            f"/v1/devices/stranger/registrations/{PASS_TYPE_IDENTIFIER}?passesUpdatedSince=9",
            "/v1/devices/stranger/registrations/pass.example.other",
        ):
            answer = await client.get(path)
            assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("tag", ["", "abc", "-1", "9" * 30, "1e3", "٣", "999999"])
async def test_a_tag_that_was_never_given_out_is_none(site, tmp_path, tag):
    """A device whose tag we do not know is told of all its passes, so that it misses nothing."""
    (serial,) = site.seed(gold())
    async with site.open(tmp_path), site.client() as client:
        device = site.device()
        await device.add(await site.pkpass(serial))
        path = f"/v1/devices/{device.library}/registrations/{PASS_TYPE_IDENTIFIER}"
        answer = await client.get(path, params={"passesUpdatedSince": tag})
        assert answer.json()["serialNumbers"] == [serial]
        assert answer.json()["lastUpdated"].isdigit()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"pushToken": 5}',
        b'{"pushToken": ""}',
        b'{"pushToken": "no hex"}',
        b'{"pushToken": "' + b"ab" * 101 + b'"}',
        b'{"pushToken": "ab\\n"}',
        b"\xff\xfe",
    ],
)
async def test_a_registration_that_makes_no_sense_is_refused_and_nothing_is_stored(lite, tmp_path, body):
    """400 whether the token is right or wrong, so that this tells nothing either."""
    (serial,) = lite.seed(gold())
    async with lite.open(tmp_path), lite.client() as client:
        await lite.pkpass(serial)
        for headers in (shown(lite, serial), {}):
            answer = await client.post(registration(serial), content=body, headers=headers)
            assert answer.status_code == 400
            assert answer.json() == {"error": "The request is not as it should be."}
    assert lite.tokens(serial) == ()


async def test_made_up_devices_of_one_pass_come_to_an_end(sqlite_store, clock, tmp_path):
    """Whoever holds a pass can invent devices; after the limit they are refused and those known stay known."""
    site = Site(store=sqlite_store, clock=clock)
    (serial, *others) = site.seed(*(gold(number) for number in range(3)))
    async with site.open(tmp_path), site.client() as client:
        device = site.device()
        await device.add(await site.pkpass(serial))
        number = site.row(serial).no

        def invent(conn):
            for count in range(MOST_DEVICES - 1):
                registrations.add(conn, device=f"x{count}", pass_no=number, push_token=f"{count:08x}", now=clock())

        site.store.write_now(invent)
        answer = await client.post(
            registration(serial, "one-more"), json={"pushToken": "ab"}, headers=shown(site, serial)
        )
        assert answer.status_code == 429
        assert site.row(serial).apple == MOST_DEVICES
        await device.rotate_token()
        assert device.push_token in site.tokens(serial)
        for other in others:
            await device.add(await site.pkpass(other))
    assert device.faults == []


async def test_thousands_of_registrations_of_one_device_are_bounded(sqlite_store, clock):
    """One device may hold so many passes and no more: its list stays short."""
    site = Site(store=sqlite_store, clock=clock)
    serials = site.seed(*(gold(number) for number in range(2_000)))
    numbers = {serial: number for number, serial in enumerate(serials, start=1)}

    def work(conn):
        return [
            registrations.add(conn, device="d", pass_no=number, push_token="ab", now=clock(), most=MOST_DEVICES)
            for number in numbers.values()
        ]

    added = site.store.write_now(work)
    assert (added.count(True), added.count(None)) == (MOST_DEVICES, 2_000 - MOST_DEVICES)
    listed, _ = site.store.read_now(lambda conn: registrations.changed_since(conn, device="d", tag=None))
    assert len(listed) == MOST_DEVICES


async def test_devices_that_register_at_the_same_time_are_all_counted(site, tmp_path):
    """Forty requests at once, each device twice: every device once, with a token it told."""
    (serial,) = site.seed(gold())
    async with site.open(tmp_path), site.client(timeout=30) as client:
        await site.pkpass(serial)

        async def register(device, token):
            path, body = registration(serial, f"device{device}"), {"pushToken": token}
            return (await client.post(path, json=body, headers=shown(site, serial))).status_code

        told = [(device, f"{device:02x}{again:02x}") for device in range(20) for again in range(2)]
        statuses = await asyncio.gather(*(register(*one) for one in told))
        assert sorted(statuses) == [200] * 20 + [201] * 20
        assert site.row(serial).apple == 20
        assert {token[:2] for token in site.tokens(serial)} == {f"{device:02x}" for device in range(20)}
        gone = [client.delete(registration(serial, f"device{n}"), headers=shown(site, serial)) for n in range(15)]
        assert {answer.status_code for answer in await asyncio.gather(*gone)} == {200}
        assert site.row(serial).apple == 5


async def test_two_transactions_that_commit_in_reverse_order_are_both_seen(postgresql_store, clock, tmp_path):
    """A device that polls between them is not told a tag behind which the slower one would vanish."""
    site = Site(store=postgresql_store, clock=clock)
    slow, fast = site.seed(gold(1), gold(2))
    async with site.open(tmp_path):
        device = site.device()
        for serial in (slow, fast):
            await device.add(await site.pkpass(serial))
        await device.wake()
        engine = sa.create_engine(postgresql_store.url)
        with engine.connect() as connection:
            transaction = connection.begin()
            change(connection, clock(), [slow], {"additionalData.points": 1})
            site.change(fast, **{"additionalData.points": 2})
            await device.wake()
            transaction.commit()
        engine.dispose()
        await device.wake()
    assert device.faults == []
    assert sorted(device.shown) == ["You now have 1 points", "You now have 2 points"]


async def test_a_device_tries_again_and_then_complains(lite, tmp_path):
    """What a device posts when its token is not taken, and when it gave up, ends in our log and nowhere else."""
    (serial,) = lite.seed(gold())
    async with lite.open(tmp_path):
        device = lite.device()
        await device.add(await lite.pkpass(serial))
        device.wallet[serial].told["authenticationToken"] = "x" * 43
        await device.rotate_token()
        assert device.posted[0].startswith(f"Register task (for device {device.library}, pass type pass.example.card, ")
        assert device.posted[0].endswith("encountered error: Authentication failure")
    await device.wake()
    assert lite.waits == [2.0, 4.0, 8.0, 16.0]
    assert device.posted[1].startswith("Get serial #s task")


async def test_a_pass_that_did_not_change_is_complained_about(lite, tmp_path):
    """A tag that rises without a change is what iOS calls a server that wastes its time."""
    (serial,) = lite.seed(gold())
    async with lite.open(tmp_path):
        device = lite.device()
        await device.add(await lite.pkpass(serial))
        await device.wake()
        device.tags.clear()
        await device.wake()
        assert device.posted == [f"Server requested update to serial number '{serial}', but the pass was unchanged."]
        lite.change(serial)
        await device.wake()
    assert device.posted[1].startswith("Server ignored the 'if-modified-since' header (")
    assert device.faults == []


async def test_many_who_ask_for_a_pass_have_it_made_once(lite):
    """Three hundred devices of one pass ask after one push; what is kept has an upper bound in bytes."""
    (serial, other) = lite.seed(gold(1), gold(2))
    row = lite.row(serial)
    passes = await asyncio.gather(*(lite.rendered.get(row) for _ in range(300)))
    assert (lite.issued, len(set(passes))) == (1, 1)
    lite.rendered._most = len(passes[0]) + 10
    await lite.rendered.get(lite.row(other))
    assert lite.rendered.size <= lite.rendered._most
    await lite.rendered.get(row)
    assert lite.issued == 3


async def test_a_pass_is_made_beside_the_loop(lite, monkeypatch):
    """Rendering and signing take milliseconds, which other connections and the SFTP door do not wait for."""
    issuer, threads = lite.passes.issuer, []

    def issue(self, *about, **more):
        threads.append(threading.current_thread())
        return Issuer.sign(self, self.make(*about, **more))

    monkeypatch.setattr(type(issuer), "issue", issue)
    (serial,) = lite.seed(gold())
    await lite.pkpass(serial)
    assert len(threads) == 1
    assert threading.main_thread() not in threads


async def test_a_new_version_of_the_project_is_not_answered_from_memory(lite):
    """A template that changed shows as soon as a device asks."""
    (serial,) = lite.seed(gold())
    await lite.pkpass(serial)
    lite.projects.projects["loyalty"] = replace(lite.projects.projects["loyalty"], version="v2")
    lite.monotonic.now += 10
    await lite.pkpass(serial)
    assert lite.issued == 2


async def test_whoever_goes_away_does_not_take_the_pass_from_others(lite):
    """A pass that is being made is made, although the first who asked hung up."""
    (serial,) = lite.seed(gold())
    first = asyncio.create_task(lite.pkpass(serial))
    second = asyncio.create_task(lite.pkpass(serial))
    await lite.begun.wait()
    first.cancel()
    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_the_devices_log_is_short_plain_and_not_too_much(lite, tmp_path, capsys):
    """Anybody may post there: no control characters, no long lines, no flood, and always 200."""
    async with lite.open(tmp_path), lite.client() as client:
        bad = "first\r\n2026 [error] forged\x1b[31m\u202e" + "x" * 5000
        answer = await client.post("/v1/log", json={"logs": [bad]})
        assert (answer.status_code, answer.content) == (200, b"")
        for _ in range(10):
            assert (await client.post("/v1/log", json={"logs": ["again"] * 50})).status_code == 200
        assert (await client.post("/v1/log", json={"logs": "text"})).status_code == 400
    lines = [line for line in capsys.readouterr().out.splitlines() if "device_log" in line]
    assert 90 <= len(lines) <= 110
    assert "forged" in lines[0]
    assert max(map(len, lines)) < 450
    assert not any(ord(character) < 32 for character in lines[0].replace("\x1b", ""))
    assert lite.kit.tally.counts(Figure.DEVICE_LINES)[()] == 501 - len(lines)
    assert "\u202e" not in lines[0]

import asyncio
import json
import socket
import uuid

import pytest

from flatfile_sync.wallets.apple.apns import PAYLOAD, PushStyle
from flatfile_sync.wallets.apple.credentials import CertificateCredential
from tests.apns_line import TOPIC, apns, certificate, pushes, until


def statuses(fates):
    return [fate.answer and fate.answer.status for fate in fates]


async def test_every_push_is_taken_once_on_one_connection():
    async with apns() as (double, pusher):
        sent = pushes(300)
        assert statuses(await pusher.send(sent)) == [200] * 300
        assert statuses(await pusher.send(pushes(10, 300))) == [200] * 10
        assert double.connections == 1
        assert set(double.accepted) >= {push.apns_id for push in sent}
        assert (double.doubled, double.complaints) == ({}, [])


@pytest.mark.parametrize(
    ("style", "named"),
    [
        (PushStyle.BACKGROUND, {"apns-push-type": "background", "apns-priority": "5"}),
        (PushStyle.NONE, {"apns-priority": "10"}),
    ],
)
async def test_a_push_says_what_apple_wants_and_nothing_else(style, named):
    async with apns(style=style) as (double, pusher):
        (push,) = pushes(1)
        assert statuses(await pusher.send([push])) == [200]
        assert double.requests == [
            {
                ":method": "POST",
                ":scheme": "https",
                ":authority": "localhost",
                ":path": f"/3/device/{push.token}",
                "apns-topic": TOPIC,
                "apns-id": push.apns_id,
                **named,
            }
        ]
        assert uuid.UUID(push.apns_id).hex


@pytest.mark.parametrize(("seconds", "told"), [(0, "0"), (3600, None)])
async def test_how_long_a_push_is_kept_can_be_said(seconds, told):
    async with apns(expiration=seconds) as (double, pusher):
        assert statuses(await pusher.send(pushes(1))) == [200]
        found = double.requests[0]["apns-expiration"]
        assert found == told if told else int(found) > 1_700_000_000


async def test_goaway_loses_nothing_and_doubles_nothing():
    async with apns(streams=50) as (double, pusher):
        double.rules.goaway_every = 30
        assert statuses(await pusher.send(pushes(300))) == [200] * 300
        assert double.connections >= 10
        assert sum(double.accepted.values()) == 300
        assert double.doubled == {}
        assert pusher.counts.unknown == 0


async def test_answers_still_come_for_what_goaway_includes():
    async with apns() as (double, pusher):
        double.rules.answering = False
        sending = asyncio.create_task(pusher.send(pushes(40)))
        await until(lambda: double.seen == 40)
        double.go_away("", last=2 * 25 - 1)
        await until(lambda: pusher.counts.unprocessed == 15)
        double.release()
        assert statuses(await sending) == [200] * 40
        assert double.doubled == {}
        assert (pusher.counts.unknown, double.connections) == (0, 2)


async def test_goaway_with_a_reason_about_the_credential_stops_everything():
    async with apns() as (double, pusher):
        double.rules.answering = False
        sending = asyncio.create_task(pusher.send(pushes(5)))
        await until(lambda: double.seen == 5)
        double.go_away("BadCertificate", last=0)
        fates = await sending
        assert [(fate.answer, fate.reason, fate.stopped) for fate in fates] == [(None, "BadCertificate", True)] * 5


async def test_a_refused_stream_is_sent_again_with_the_same_id():
    async with apns() as (double, pusher):
        double.rules.refuse = {3, 4}
        sent = pushes(8)
        assert statuses(await pusher.send(sent)) == [200] * 8
        assert double.accepted == {push.apns_id: 1 for push in sent}
        assert pusher.counts.unprocessed == 2


@pytest.mark.parametrize("accident", ["reset", "drop"])
async def test_what_may_have_arrived_is_sent_again_with_the_same_id(accident):
    async with apns() as (double, pusher):
        setattr(double.rules, accident, {3})
        sent = pushes(8)
        assert statuses(await pusher.send(sent)) == [200] * 8
        assert set(double.accepted) == {push.apns_id for push in sent}
        assert double.accepted[sent[2].apns_id] == 2
        assert pusher.counts.unknown >= 1


async def test_a_push_that_is_always_refused_comes_back_unsent():
    async with apns(tries=3) as (double, pusher):
        double.rules.refuse = set(range(100))
        assert await pusher.send(pushes(1)) == [(None, "APNs did not look at it", False)]
        assert double.seen == 4


async def test_a_connection_that_never_answers_is_given_up_and_the_push_comes_back_unknown():
    async with apns(patience=1.0, tries=2) as (double, pusher):
        double.rules.answering = False
        (push,) = pushes(1)
        assert await pusher.send([push]) == [(None, "no answer", False)]
        assert (push.tries, double.seen, pusher.counts.unknown) == (2, 2, 2)


async def test_the_number_of_streams_follows_the_settings_of_the_moment():
    async with apns() as (double, pusher):
        double.rules.streams = 7
        double.rules.answering = False
        sending = asyncio.create_task(pusher.send(pushes(100)))
        await until(lambda: double.seen == 7)
        double.set_streams(20)
        await until(lambda: double.seen == 20)
        assert double.busiest == 20
        double.busiest = 0
        double.set_streams(3)
        double.release()
        assert statuses(await sending) == [200] * 100
        assert double.complaints == []


async def test_several_connections_carry_what_one_has_no_streams_for():
    async with apns(streams=10, connections=3) as (double, pusher):
        double.rules.answering = False
        sending = asyncio.create_task(pusher.send(pushes(30)))
        await until(lambda: double.seen == 30)
        assert double.connections == 3
        double.release()
        assert statuses(await sending) == [200] * 30


async def test_a_window_without_room_is_waited_for():
    async with apns() as (double, pusher):
        double.rules.window = 0
        sending = asyncio.create_task(pusher.send(pushes(3)))
        await until(lambda: any(connection._ready for connection in pusher._connections))
        assert [connection.free for connection in pusher._connections] == [0]
        (connection,) = double.open
        assert double.seen == 0
        connection.h2.update_settings({4: 65_535})
        connection.flush()
        assert statuses(await sending) == [200] * 3


async def test_many_refusals_do_not_fill_the_window():
    async with apns() as (double, pusher):
        sent = pushes(2500)
        double.bad = {push.token for push in sent}
        fates = await pusher.send(sent)
        assert {fate.reason for fate in fates} == {"BadDeviceToken"}
        assert double.complaints == []


async def test_bad_tokens_that_end_the_connection_lose_no_other_push():
    async with apns() as (double, pusher):
        double.rules.bad_tokens = 3
        sent = pushes(60)
        double.bad = {push.token for push in sent[:5]}
        assert statuses(await pusher.send(sent)) == [400] * 5 + [200] * 55
        assert double.doubled == {}


async def test_the_moment_of_a_410_is_told():
    async with apns() as (double, pusher):
        (push,) = pushes(1)
        double.dead[push.token] = double.clock.now
        (fate,) = await pusher.send([push])
        assert fate.answer == (410, "Unregistered", double.clock.now)


async def test_an_idle_connection_is_replaced():
    async with apns() as (double, pusher):
        (push,) = pushes(1)
        double.script[push.token].append((400, "IdleTimeout"))
        assert statuses(await pusher.send([push])) == [200]
        assert double.connections == 2


async def test_a_refused_certificate_ends_the_batch():
    async with apns(streams=1, connections=1) as (double, pusher):
        sent = pushes(5)
        double.script[sent[1].token].append((403, "BadCertificate"))
        fates = await pusher.send(sent)
        assert statuses(fates) == [200, 403, None, None, None]
        assert all(fate.stopped and fate.reason == "BadCertificate" for fate in fates[2:])
        await until(lambda: not double.open)
        assert statuses(await pusher.send(pushes(1, 10))) == [200]


async def test_a_certificate_of_another_pass_type_may_not_push():
    credential = CertificateCredential(certificate("pass.example.other"))
    async with apns(credential=credential) as (_, pusher):
        (fate,) = await pusher.send(pushes(1))
        assert fate.answer == (400, "TopicDisallowed", None)


async def test_without_a_server_the_pushes_come_back_after_growing_waits():
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    async with apns(port=port) as (_, pusher):
        fates = await pusher.send(pushes(2))
        assert fates == [(None, "no connection to APNs", False)] * 2
        assert pusher.waits == sorted(set(pusher.waits))
        assert len(pusher.waits) == 4


async def test_a_server_that_is_not_apples_is_not_talked_to():
    async with apns() as (double, pusher):
        pusher._context = CertificateCredential(certificate()).context()
        assert (await pusher.send(pushes(1)))[0].answer is None
        assert double.seen == 0


async def test_a_device_that_was_away_gets_one_push():
    async with apns() as (double, pusher):
        (push,) = pushes(1)
        again = pushes(1)
        await pusher.send([push])
        await pusher.send(again)
        assert double.deliver(push.token, TOPIC)
        assert not double.deliver(push.token, TOPIC)
        assert double.doubled == {push.token: 2}


def test_the_payload_is_an_empty_dictionary():
    assert json.loads(PAYLOAD) == {}

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.states import Outcome
from flatfile_sync.wallets.apple.platform import Apple
from flatfile_sync.wallets.apple.pushing import Pusher
from tests.apns_line import TOPIC, MemoryCircuit, OpenPace, apns, parcel, tokens
from tests.doubles import ManualClock

A, B, C = tokens(3)
NAME = f"apns:{TOPIC}"


@asynccontextmanager
async def apple(**settings):
    clock = ManualClock()
    async with apns(clock=clock, **settings) as (double, pusher):
        found = Apple({TOPIC: pusher}, topic_of=lambda _: TOPIC, pace=OpenPace(), circuit=MemoryCircuit(), clock=clock)
        found.pusher, found.clock = pusher, clock
        yield double, found


async def send(platform, *parcels):
    return {found.delivery_id: found for found in await platform.send(parcels)}


async def test_one_push_to_a_device_stands_for_all_its_passes():
    async with apple() as (double, platform):
        found = await send(platform, parcel(1, A), parcel(2, A), parcel(3, A, B))
        assert {number: entry.accepted for number, entry in found.items()} == {1: True, 2: True, 3: True}
        assert double.pushed == {(A, TOPIC): 1, (B, TOPIC): 1}
        assert platform._pace.taken == 2
        assert await platform.confirm([parcel(1, A).delivery]) == ()


async def test_a_delivery_is_accepted_when_each_living_device_was_pushed_and_the_dead_are_told():
    async with apple() as (double, platform):
        since = double.clock.now - timedelta(days=1)
        double.dead[A], double.bad = since, {B}
        found = await send(platform, parcel(1, A, B, C), parcel(2, A), parcel(3, B, A))
        assert found[1].accepted
        assert found[1].gone == ((A, since), (B, None))
        assert [found[number].outcome for number in (2, 3)] == [Outcome.UNREGISTERED] * 2
        assert found[3].gone == ((B, None), (A, since))


async def test_a_pass_without_a_device_is_not_installed_and_one_without_a_topic_has_failed():
    async with apple() as (double, platform):
        platform._topic_of = lambda found: TOPIC if found.delivery.id == 1 else None
        found = await send(platform, parcel(1), parcel(2, A))
        assert found[1].outcome is Outcome.NOT_INSTALLED
        assert (found[2].outcome, found[2].reason) == (Outcome.FAILED, "no certificate for its pass type")
        assert double.seen == 0


async def test_a_token_that_is_none_never_leaves():
    async with apple() as (double, platform):
        found = await send(platform, parcel(1, "../../etc"), parcel(2, "not hexadecimal", A))
        assert found[1].outcome is Outcome.UNREGISTERED
        assert (found[2].accepted, found[2].gone) == (True, (("not hexadecimal", None),))
        assert double.seen == 1


async def test_a_5xx_goes_back_for_15_minutes_and_comes_again_with_the_same_id():
    async with apple() as (double, platform):
        double.script[A].append((503, "ServiceUnavailable"))
        found = await send(platform, parcel(1, A))
        assert (found[1].accepted, found[1].outcome, found[1].retry_after) == (False, None, 900.0)
        again = await send(platform, parcel(1, A, attempts=2))
        assert (again[1].retry_after, double.seen) == (900.0, 1)
        platform.clock.advance(timedelta(minutes=15))
        assert (await send(platform, parcel(1, A, attempts=2)))[1].accepted
        assert double.complaints == []
        assert len({request["apns-id"] for request in double.requests}) == 1


async def test_another_delivery_does_not_get_round_the_15_minutes():
    async with apple() as (double, platform):
        double.script[A].append((500, "InternalServerError"))
        await send(platform, parcel(1, A))
        platform.clock.advance(timedelta(minutes=10))
        found = await send(platform, parcel(2, A), parcel(3, B))
        assert (found[2].retry_after, found[3].accepted) == (300.0, True)
        assert double.complaints == []


async def test_waits_for_trouble_on_their_side_grow():
    async with apple() as (double, platform):
        double.script[A].append((503, "Shutdown"))
        assert (await send(platform, parcel(1, A, attempts=3)))[1].retry_after == 3600.0


async def test_too_many_pushes_delay_that_token_only():
    async with apple() as (double, platform):
        double.rules.pushes_per_minute = 2
        for number in (1, 2):
            assert (await send(platform, parcel(number, A)))[number].accepted
        found = await send(platform, parcel(3, A), parcel(4, B))
        assert (found[3].retry_after, found[3].reason, found[4].accepted) == (60.0, "TooManyRequests", True)
        assert (await send(platform, parcel(3, A)))[3].retry_after == 60.0
        assert double.answers[429, "TooManyRequests"] == 1
        platform.clock.advance(timedelta(seconds=61))
        assert (await send(platform, parcel(3, A)))[3].accepted


async def test_devices_that_were_pushed_are_not_pushed_again_when_others_wait():
    async with apple() as (double, platform):
        double.script[B].append((503, "ServiceUnavailable"))
        first = (await send(platform, parcel(1, A, B, memory={"other": 1})))[1]
        assert first.retry_after == 900.0
        assert first.memory == {"other": 1, "pushed": {"1": {"revision": 1, "tokens": [A]}}}
        platform.clock.advance(timedelta(minutes=16))
        second = (await send(platform, parcel(1, A, B, attempts=2, memory=first.memory)))[1]
        assert second.accepted
        assert second.memory == {"other": 1, "pushed": {}}
        assert double.doubled == {}


async def test_a_newer_revision_pushes_every_device_again():
    async with apple() as (double, platform):
        memory = {"pushed": {"1": {"revision": 1, "tokens": [A]}}}
        assert (await send(platform, parcel(1, A, B, revision=2, memory=memory)))[1].accepted
        assert double.pushed == {(A, TOPIC): 1, (B, TOPIC): 1}


async def test_a_refused_certificate_opens_the_circuit_and_halts_until_it_closes():
    async with apple(streams=1, connections=1) as (double, platform):
        double.script[B].append((403, "BadCertificate"))
        found = await send(platform, parcel(1, A), parcel(2, B), parcel(3, C))
        assert [found[1].accepted, found[2].halted, found[3].halted] == [True] * 3
        assert platform._circuit.reasons == {NAME: "403 BadCertificate"}
        assert (await send(platform, parcel(4, C)))[4].halted
        assert double.seen == 2
        await platform._circuit.close(NAME)
        assert (await send(platform, parcel(3, C)))[3].accepted


async def test_a_push_that_is_wrong_for_its_topic_stops_the_topic():
    async with apple(streams=1, connections=1) as (double, platform):
        double.script[A].append((400, "BadTopic"))
        found = await send(platform, parcel(1, A), parcel(2, B))
        assert [found[1].halted, found[2].halted, double.seen] == [True, True, 1]
        assert platform._circuit.reasons == {NAME: "400 BadTopic"}


async def test_a_bug_of_ours_fails_its_delivery_and_halts_the_rest():
    async with apple(streams=1, connections=1) as (double, platform):
        double.script[A].append((413, "PayloadTooLarge"))
        found = await send(platform, parcel(1, A), parcel(2, B))
        assert (found[1].outcome, found[1].reason) == (Outcome.FAILED, "PayloadTooLarge")
        assert (found[2].halted, double.seen) == (True, 1)


async def test_what_got_no_answer_goes_back_and_keeps_its_id_in_another_process():
    async with apple(patience=0.05, tries=1) as (double, platform):
        double.rules.answering = False
        found = await send(platform, parcel(7, A), parcel(9, A))
        assert [(entry.retry_after, entry.reason) for entry in found.values()] == [(0.0, "no answer")] * 2
        double.rules.answering = True
        double.cut()
        double.requests.clear()
        assert (await send(platform, parcel(7, A, attempts=2)))[7].accepted
        (first,) = double.accepted
        async with apple() as (other, later):
            await send(later, parcel(9, A), parcel(7, A))
            assert list(other.accepted) == [first]


async def test_a_certificate_of_another_topic_is_a_mistake_of_the_configuration():
    async with apple() as (_, platform):
        pusher: Pusher = platform.pusher
        with pytest.raises(ConfigurationError, match=r"is not for 'pass\.example\.other'"):
            Apple(
                {"pass.example.other": pusher},
                topic_of=lambda _: TOPIC,
                pace=OpenPace(),
                circuit=MemoryCircuit(),
                clock=ManualClock(),
            )

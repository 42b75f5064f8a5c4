import asyncio
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.wallets.apple.certificates import Source
from flatfile_sync.wallets.apple.credentials import CertificateCredential, TokenCredential
from tests.apns_line import apns, certificate, pushes, team_key, token_credential, until
from tests.doubles import ManualClock


async def test_only_one_stream_is_used_until_the_first_push_was_answered():
    async with apns(key=team_key()) as (double, pusher):
        double.rules.answering = False
        sending = asyncio.create_task(pusher.send(pushes(50)))
        await until(lambda: double.seen == 1)
        assert double.busiest == 1
        double.release()
        double.rules.answering = False
        await until(lambda: double.seen == 50)
        assert double.busiest == 49
        double.release()
        assert {fate.answer.status for fate in await sending} == {200}
        assert double.complaints == []
        assert pusher.credential.minted == 1


async def test_one_token_serves_45_minutes_of_pushes():
    clock = ManualClock()
    async with apns(clock=clock, key=team_key()) as (double, pusher):
        for start in range(10):
            assert (await pusher.send(pushes(3, start)))[0].answer.status == 200
            clock.advance(timedelta(minutes=10))
        assert pusher.credential.minted == 2
        assert double.answers == {(200, ""): 30}


async def test_an_expired_token_is_replaced_once_and_every_push_sent_again():
    clock = ManualClock()
    async with apns(clock=clock, key=team_key()) as (double, pusher):
        assert (await pusher.send(pushes(1)))[0].answer.status == 200
        # Their clock runs ahead of ours: what we think is fresh has expired there.
        double.clock = ManualClock(clock.now + timedelta(minutes=61))
        clock.advance(timedelta(minutes=30))
        fates = await pusher.send(pushes(20, 5))
        assert {fate.answer.status for fate in fates} == {200}
        assert pusher.credential.minted == 2
        assert double.answers[403, "ExpiredProviderToken"] <= 20


async def test_a_token_that_is_expired_again_stops_the_credential():
    clock = ManualClock()
    async with apns(clock=clock, key=team_key()) as (double, pusher):
        double.clock = ManualClock(clock.now + timedelta(hours=3))
        fates = await pusher.send(pushes(5))
        assert fates[0].answer == (403, "ExpiredProviderToken", None)
        assert all(fate.answer == fates[0].answer or fate.stopped for fate in fates)
        assert pusher.credential.minted == 2


async def test_a_key_of_another_team_is_refused_and_nothing_more_is_sent():
    clock = ManualClock()
    async with apns(clock=clock, key=team_key(), credential=token_credential(team_key(), clock)) as (double, pusher):
        fates = await pusher.send(pushes(30))
        assert fates[0].reason == "InvalidProviderToken"
        assert [fate.stopped for fate in fates] == [False] + [True] * 29
        assert double.seen == 1


async def test_two_processes_that_mint_in_turns_are_told_to_stop():
    clock, key = ManualClock(), team_key()
    async with apns(clock=clock, key=key) as (double, pusher):
        await pusher.send(pushes(1))
        pusher.credential = token_credential(key, clock)
        clock.advance(timedelta(minutes=5))
        (connection,) = pusher._connections
        connection._credential = pusher.credential
        (fate, *rest) = await pusher.send(pushes(3, 5))
        assert fate.answer == (429, "TooManyProviderTokenUpdates", None)
        assert len(rest) == 2
        assert double.answers[200, ""] == 1


def test_a_renewal_is_shared_and_not_made_twice_in_20_minutes():
    clock = ManualClock()
    credential = token_credential(team_key(), clock)
    first = credential.authorization()
    assert credential.renew(first)
    second = credential.authorization()
    assert credential.renew(first)
    assert (credential.authorization(), credential.minted) == (second, 2)
    clock.advance(timedelta(minutes=19))
    assert not credential.renew(second)
    clock.advance(timedelta(minutes=2))
    assert credential.renew(second)
    assert credential.minted == 3


def test_a_clock_that_is_set_back_does_not_keep_a_token_of_the_future():
    clock = ManualClock()
    credential = token_credential(team_key(), clock)
    first = credential.authorization()
    clock.advance(-timedelta(hours=2))
    assert credential.authorization() != first


@pytest.mark.parametrize("data", [b"", b"-----BEGIN PRIVATE KEY-----\n", None])
def test_a_file_that_is_no_p8_key_is_named(data):
    other = generate_private_key(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    source = Source("AuthKey_ABC.p8", other if data is None else data)
    with pytest.raises(ConfigurationError, match=r"AuthKey_ABC\.p8: holds no P-256 key"):
        TokenCredential(source, key_id="ABC", team_id="TEAM", clock=ManualClock())


def test_no_credential_shows_its_secret():
    credential = token_credential(team_key(), ManualClock())
    shown = repr(credential) + repr(CertificateCredential(certificate()))
    assert "PRIVATE" not in shown
    assert credential.authorization().removeprefix("bearer ") not in shown

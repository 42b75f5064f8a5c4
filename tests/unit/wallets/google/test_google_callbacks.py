import json
from datetime import timedelta

import pytest
import structlog

from flatfile_sync.domain.failures import TemporaryFailure
from flatfile_sync.wallets.google.callbacks import Callback, Event, Rejection, root_keys, verify
from flatfile_sync.wallets.google.receiver import Receiver
from tests.google_double.answers import Answer
from tests.google_double.callbacks import Sender, Told
from tests.google_line import CLASS_ID, ISSUER, OBJECT_ID, google

KEYS = "/gp/m/issuer/keys"


@pytest.fixture
def sender(clock):
    return Sender(clock=clock)


def look(body, google_side, *, keys=None, **changes):
    told = {"recipient": ISSUER, "now": google_side.clock()} | changes
    return verify(body, keys=root_keys(json.dumps(keys or google_side.keys()).encode()), **told)


@pytest.mark.parametrize("event", list(Event))
def test_what_google_signed_is_read(sender, event):
    found = look(sender.callback(OBJECT_ID, CLASS_ID, Told(event=event), nonce="n1"), sender)
    assert found == Callback(
        event=event,
        object_id=OBJECT_ID,
        class_id=CLASS_ID,
        nonce="n1",
        expires_at=sender.clock() + timedelta(hours=1),
    )


def test_lengths_are_those_of_the_bytes(sender):
    told = Told(more={"note": "Grüße, え, 🎫"})
    assert isinstance(look(sender.callback(OBJECT_ID, CLASS_ID, told), sender), Callback)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (Told(protocol="ECv2"), Rejection.PROTOCOL),
        (Told(sender="GoogleWalletPasses"), Rejection.ROOT),
        (Told(recipient="3388000000099999999"), Rejection.SIGNATURE),
        (Told(intermediate_until=timedelta(0)), Rejection.INTERMEDIATE_EXPIRED),
        (Told(message_until=timedelta(0)), Rejection.EXPIRED),
        (Told(event="paused"), Rejection.MALFORMED),
        (Told(more={"nonce": ""}), Rejection.MALFORMED),
        (Told(more={"objectId": 1}), Rejection.MALFORMED),
        (Told(more={"expTimeMillis": "soon"}), Rejection.MALFORMED),
        (Told(more={"expTimeMillis": 10**30}), Rejection.MALFORMED),
    ],
)
def test_what_is_signed_for_another_or_has_expired_counts_for_nothing(sender, told, expected):
    assert look(sender.callback(OBJECT_ID, CLASS_ID, told), sender) is expected


def test_the_name_of_the_sender_is_a_setting(sender):
    body = sender.callback(OBJECT_ID, CLASS_ID, Told(sender="GoogleWalletPasses"))
    assert isinstance(look(body, sender, sender="GoogleWalletPasses"), Callback)


@pytest.mark.parametrize("keys", [{"protocol": "ECv1"}, {"until": timedelta(0)}])
def test_a_root_key_of_another_protocol_or_past_its_time_is_none(sender, keys):
    body = sender.callback(OBJECT_ID, CLASS_ID)
    assert look(body, sender, keys=sender.keys(**keys)) is Rejection.ROOT


@pytest.mark.parametrize("part", ["signature", "signedMessage", "intermediateSigningKey", "protocolVersion"])
@pytest.mark.parametrize("value", [None, 1, "", "x", [], {}, {"signedKey": "{}", "signatures": ["AA==", "!", 3]}])
def test_a_callback_of_another_shape_counts_for_nothing(sender, part, value):
    told = json.loads(sender.callback(OBJECT_ID, CLASS_ID)) | {part: value}
    assert isinstance(look(json.dumps(told).encode(), sender), Rejection)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"{}"])
def test_what_is_no_callback_is_malformed(sender, body):
    assert look(body, sender) is Rejection.MALFORMED


@pytest.mark.parametrize("document", [b"", b"{}", b'{"keys": 1}', b'{"keys": [1, {"keyValue": "AA=="}]}'])
def test_a_list_of_keys_of_another_shape_has_none(document):
    assert root_keys(document) == ()


def test_a_message_that_was_changed_is_not_signed(sender):
    body = sender.callback(OBJECT_ID, CLASS_ID).replace(OBJECT_ID.encode(), f"{ISSUER}.p2".encode())
    assert look(body, sender) is Rejection.SIGNATURE


async def _receiver(double, client, sender, **changes):
    double.served[KEYS] = Answer(200, sender.keys(**changes))
    return Receiver(http=client.http, recipient=ISSUER, clock=client.clock, keys_url=f"{double.url}{KEYS}")


async def test_keys_are_fetched_once_and_again_after_hours():
    async with google() as (double, client):
        sender = Sender(clock=client.clock)
        receiver = await _receiver(double, client, sender)
        for _ in range(3):
            assert isinstance(await receiver.receive(sender.callback(OBJECT_ID, CLASS_ID)), Callback)
        assert double.served_count[KEYS] == 1
        client.clock.advance(timedelta(hours=7))
        assert isinstance(await receiver.receive(sender.callback(OBJECT_ID, CLASS_ID)), Callback)
        assert double.served_count[KEYS] == 2


async def test_keys_that_changed_are_fetched_when_a_signature_does_not_fit_but_not_for_each_nonsense():
    async with google() as (double, client):
        old, new = (Sender(clock=client.clock) for _ in range(2))
        receiver = await _receiver(double, client, old)
        assert isinstance(await receiver.receive(old.callback(OBJECT_ID, CLASS_ID)), Callback)
        double.served[KEYS] = Answer(200, new.keys())
        assert await receiver.receive(new.callback(OBJECT_ID, CLASS_ID)) is Rejection.ROOT
        client.clock.advance(timedelta(minutes=2))
        assert isinstance(await receiver.receive(new.callback(OBJECT_ID, CLASS_ID)), Callback)
        for _ in range(5):
            assert await receiver.receive(old.callback(OBJECT_ID, CLASS_ID)) is Rejection.ROOT
        assert double.served_count[KEYS] == 2


async def test_old_keys_serve_while_new_ones_cannot_be_had_and_without_any_google_is_to_try_again():
    async with google() as (double, client):
        sender = Sender(clock=client.clock)
        receiver = await _receiver(double, client, sender)
        double.served[KEYS] = Answer(500)
        with structlog.testing.capture_logs() as logs, pytest.raises(TemporaryFailure):
            await receiver.receive(sender.callback(OBJECT_ID, CLASS_ID))
        assert [entry["event"] for entry in logs] == ["google_keys_not_fetched"]
        client.clock.advance(timedelta(minutes=2))
        double.served[KEYS] = Answer(200, sender.keys())
        assert isinstance(await receiver.receive(sender.callback(OBJECT_ID, CLASS_ID)), Callback)
        receiver._keys_url = "https://localhost:9/keys"
        client.clock.advance(timedelta(hours=7))
        with structlog.testing.capture_logs():
            assert isinstance(await receiver.receive(sender.callback(OBJECT_ID, CLASS_ID)), Callback)

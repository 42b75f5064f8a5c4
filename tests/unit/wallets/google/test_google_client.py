import asyncio
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.wallets.google import calls
from flatfile_sync.wallets.google.account import Source, service_account
from flatfile_sync.wallets.google.calls import NO_ANSWER, NOT_SENT, Call
from flatfile_sync.wallets.google.reasons import Action, action
from tests.google_double.answers import Answer as Told
from tests.google_double.answers import refusal
from tests.google_line import CLASS, ISSUER, OBJECT, OBJECT_ID, google

RESOURCES = (("loyaltyClass", CLASS), ("loyaltyObject", OBJECT))
KIND = "loyaltyObject"
READ = calls.get(KIND, OBJECT_ID)


async def test_one_call_goes_alone_and_many_go_as_a_batch_of_which_each_part_counts():
    """The pace is asked for as many calls as there are parts, and the double's own bucket agrees."""
    others = [(KIND, OBJECT | {"id": f"{ISSUER}.o{number}"}) for number in range(30)]
    async with google(resources=[*RESOURCES, *others]) as (double, client):
        begun = client.clock.now
        (answer,) = await client.send([READ])
        assert (answer.status, answer.body["loyaltyPoints"]["balance"], double.batches) == (200, {"int": 120}, 0)
        for part in (others[:15], others[15:]):
            asked = [calls.patch(KIND, found["id"], {"accountId": found["id"][-2:]}) for _, found in part]
            answers = await client.send(asked)
            assert [found.body["id"] for found in answers] == [found["id"] for _, found in part]
        assert (double.batches, double.wallet.throttled, client.counts.calls) == (2, 0, 31)
        assert client.clock.now - begun == timedelta(seconds=30 / 20)


async def test_a_batch_carries_any_text_and_brings_back_each_refusal():
    async with google(resources=RESOURCES) as (double, client):
        texts = "Grüße\r\n--batch_flatfile_sync\n\nえ\u2028"
        answers = await client.send(
            [
                calls.patch(KIND, OBJECT_ID, {"accountName": texts}),
                calls.get(KIND, f"{ISSUER}.none"),
                calls.insert(KIND, OBJECT),
                calls.insert(KIND, OBJECT | {"unheard": 1}),
            ]
        )
        assert [str(found) for found in answers] == [
            "200",
            "404 resourceNotFound",
            "409 existingResource",
            "400 badRequest",
        ]
        assert double.wallet.objects()[OBJECT_ID]["accountName"] == texts


async def test_the_double_takes_no_batch_of_1001_parts():
    async with google(resources=RESOURCES) as (double, client):
        answers = await client.send([READ] * 1001)
        assert ({str(found) for found in answers}, double.wallet.calls) == ({"400 badRequest"}, [])


async def test_one_token_is_minted_for_many_calls_and_another_before_it_ends():
    async with google(resources=RESOURCES) as (double, client):
        await asyncio.gather(*(client.send([READ]) for _ in range(5)))
        assert double.tokens.minted == 1
        client.clock.advance(timedelta(minutes=49))
        await client.send([READ])
        assert double.tokens.minted == 1
        client.clock.advance(timedelta(minutes=2))
        await client.send([READ])
        assert (double.tokens.minted, double.tokens.refusals) == (2, [])


async def test_a_token_that_is_taken_back_is_renewed_once_for_all():
    async with google(resources=RESOURCES) as (double, client):
        await client.send([READ])
        double.tokens.revoke()
        answers = await asyncio.gather(client.send([READ]), client.send([READ, READ]))
        assert [found.status for part in answers for found in part] == [200] * 3
        assert double.tokens.minted == 2


async def test_only_the_parts_that_were_answered_with_401_go_again():
    async with google(resources=RESOURCES) as (double, client):
        double.wallet.script["patch loyaltyObject"].append(refusal(401, "authError", "no").answer)
        answers = await client.send([calls.get(KIND, OBJECT_ID), calls.patch(KIND, OBJECT_ID, {"accountId": "x"})])
        assert [found.status for found in answers] == [200, 200]
        assert double.wallet.counts == {"get loyaltyObject": 1, "patch loyaltyObject": 2}


async def test_a_second_401_comes_back():
    async with google(resources=RESOURCES) as (double, client):
        double.wallet.script["get loyaltyObject"].extend([refusal(401, "authError", "no").answer] * 2)
        (answer,) = await client.send([READ])
        assert (answer.status, double.tokens.minted) == (401, 2)


async def test_an_account_that_gets_no_token_halts_and_an_endpoint_that_is_down_is_asked_again_later():
    async with google(resources=RESOURCES) as (double, client):
        double.tokens.down = True
        (answer,) = await client.send([READ])
        assert (answer.reason, action(answer)) == (NOT_SENT, Action.LATER)
        double.tokens.down = False
        double.tokens.audience = "https://elsewhere.example"
        (answer,) = await client.send([READ])
        assert (answer.reason, action(answer)) == ("invalid_grant", Action.HALT)
        assert double.wallet.calls == []


@pytest.mark.parametrize("count", [1, 3])
async def test_an_answer_that_is_lost_is_unknown(count):
    async with google(resources=RESOURCES) as (double, client):
        double.wallet.rules.lose = {2}
        await client.send([READ])
        asked = [calls.patch(KIND, OBJECT_ID, {"accountId": "x"}), *[READ] * (count - 1)]
        answers = await client.send(asked)
        assert {found.reason for found in answers} == {NO_ANSWER}
        assert client.counts.unknown == count


async def test_an_answer_that_does_not_come_in_time_is_unknown():
    async with google(resources=RESOURCES, patience=0.2) as (double, client):
        await client.send([READ])
        double.wallet.rules.answering = False
        (answer,) = await client.send([calls.patch(KIND, OBJECT_ID, {"accountId": "x"})])
        assert (answer.reason, double.wallet.objects()[OBJECT_ID]["accountId"]) == (NO_ANSWER, "x")


async def test_what_finds_nobody_was_not_sent():
    async with google(resources=RESOURCES) as (_, client):
        await client.send([READ])
        client._api = "https://localhost:9"
        (answer,) = await client.send([READ])
        assert (answer.reason, action(answer)) == (NOT_SENT, Action.LATER)


async def test_an_answer_that_is_no_json_is_judged_by_its_status():
    async with google(resources=RESOURCES) as (double, client):
        double.wallet.script["get loyaltyObject"].append(Told(502, raw=b"<html>"))
        (answer,) = await client.send([READ])
        assert (answer.status, answer.reason, action(answer)) == (502, "", Action.LATER)


@pytest.mark.parametrize(
    ("status", "reason", "text", "expected"),
    [
        (403, "quotaExceeded", "Quota exceeded", Action.QUIET),
        (403, "permissionDenied", "Quota project has no permission; quota exceeded", Action.HALT),
        (403, "insufficientPermissions", "", Action.HALT),
        (403, "somethingNew", "quotaExceeded", Action.HALT),
        (403, "rateLimitExceeded", "", Action.LATER),
        (404, "resourceNotFound", "", Action.MISSING),
        (404, "classNotFound", "", Action.CLASS_MISSING),
        (404, "somethingNew", "", Action.MISSING),
        (409, "existingResource", "", Action.EXISTS),
        (409, "", "", Action.EXISTS),
        (400, "invalidResource", "", Action.REFUSED),
        (400, "somethingNew", "quota", Action.REFUSED),
        (401, "quotaExceeded", "", Action.RENEW),
        (429, "rateLimitExceeded", "", Action.LATER),
        (429, "", "", Action.LATER),
        (503, "existingResource", "", Action.LATER),
    ],
)
def test_an_answer_is_judged_by_its_reason_and_never_by_its_text(status, reason, text, expected):
    body = {
        "error": {"code": status, "message": text, "errors": [{"message": text, "reason": reason}] if reason else []}
    }
    assert action(calls.answer_of(status, body)) is expected


@pytest.mark.parametrize("body", [None, [], {"error": "text"}, {"error": {"errors": {}}}, {"error": {"errors": ["x"]}}])
def test_a_body_of_another_shape_has_no_reason(body):
    assert calls.answer_of(403, body).reason == ""


def test_ids_are_percent_encoded_in_paths():
    assert calls.get(KIND, "1.a/b") == Call("GET", "loyaltyObject/1.a%2Fb")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"type": "authorized_user"}, "type: found 'authorized_user', expected 'service_account'."),
        ({"client_email": ""}, "client_email: is missing;"),
        ({"private_key": "-----BEGIN"}, "private_key: expected an unencrypted PEM key."),
        ({"private_key": "elliptic"}, "private_key: expected an RSA key"),
        (None, "expected the JSON key of a service account."),
    ],
)
async def test_a_wrong_key_file_names_file_and_key_and_shows_nothing_of_the_secret(change, complaint):
    async with google() as (double, _):
        told = json.loads(double.account_file)
    if change and change.get("private_key") == "elliptic":
        key = generate_private_key(SECP256R1())
        change = {"private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()}
    data = b"nonsense" if change is None else json.dumps(told | change).encode()
    with pytest.raises(ConfigurationError) as found:
        service_account(Source("account.json", data))
    assert str(found.value).startswith(f"account.json: {complaint}")
    assert "MII" not in str(found.value) + repr(Source("x", data))

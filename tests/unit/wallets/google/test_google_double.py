"""The double, looked at by a client that is not ours: google-api-python-client with its own discovery document."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPException

import pytest
from google.auth import exceptions
from googleapiclient.errors import BatchError, HttpError

from flatfile_sync.domain.clock import utc_now
from tests.google_double.answers import Answer
from tests.google_double.other_client import OtherClient
from tests.google_double.saving import ADDRESS
from tests.google_double.server import GoogleDouble, listening

ISSUER = "3388000000012345678"
CLASS_ID, OBJECT_ID = f"{ISSUER}.card", f"{ISSUER}.m1"
CLASS = {
    "id": CLASS_ID,
    "issuerName": "Example Stores",
    "programName": "Example Loyalty",
    "programLogo": {"sourceUri": {"uri": "https://www.example.com/logo.png"}},
    "reviewStatus": "UNDER_REVIEW",
}
OBJECT = {
    "id": OBJECT_ID,
    "classId": CLASS_ID,
    "state": "ACTIVE",
    "loyaltyPoints": {"label": "Points", "balance": {"int": 120}},
}


@asynccontextmanager
async def google(folder, *, clock=utc_now, objects=()):
    """Yield a double that has a class and objects, and the other client."""
    double = GoogleDouble(clock=clock, issuer=ISSUER)
    double.wallet.insert("loyaltyClass", CLASS)
    for found in objects:
        double.wallet.insert("loyaltyObject", found)
    async with listening(double):
        client = OtherClient(double, folder)
        try:
            yield double, client
        finally:
            client.close()


def message(text, kind="TEXT", name="m"):
    return {"message": {"id": name, "header": "News", "body": text, "messageType": kind}}


async def test_a_class_and_an_object_are_inserted_once_read_and_listed(tmp_path):
    async with google(tmp_path) as (double, client):
        objects = client.service.loyaltyobject()
        assert (await client.ask(objects.insert(body=OBJECT)))["hasUsers"] is False
        assert await client.ask(objects.insert(body=OBJECT)) == (409, "existingResource")
        assert (await client.ask(objects.get(resourceId=OBJECT_ID)))["loyaltyPoints"]["balance"] == {"int": 120}
        assert await client.ask(objects.get(resourceId=f"{ISSUER}.none")) == (404, "resourceNotFound")
        assert await client.ask(objects.insert(body=OBJECT | {"classId": f"{ISSUER}.none"})) == (404, "classNotFound")
        assert await client.ask(objects.get(resourceId="m1")) == (400, "invalidResource")
        assert await client.ask(objects.get(resourceId="3388999.m1")) == (400, "invalidResource")
        listed = await client.ask(objects.list(classId=CLASS_ID, maxResults=1))
        assert [found["id"] for found in listed["resources"]] == [OBJECT_ID]
        review = (await client.ask(client.service.loyaltyclass().get(resourceId=CLASS_ID)))["reviewStatus"]
        assert (review, double.tokens.minted, double.wallet.complaints) == ("APPROVED", 1, [])


async def test_a_patch_merges_a_null_deletes_and_an_array_is_replaced_where_an_update_replaces_all(tmp_path):
    texts = [{"id": "a", "body": "one"}, {"id": "b", "body": "two"}]
    async with google(tmp_path, objects=[OBJECT | {"accountId": "M1", "textModulesData": texts}]) as (_, client):
        objects = client.service.loyaltyobject()
        body = {"accountId": None, "textModulesData": texts[:1], "loyaltyPoints": {"balance": {"int": 121}}}
        found = await client.ask(objects.patch(resourceId=OBJECT_ID, body=body))
        assert "accountId" not in found
        assert found["textModulesData"] == texts[:1]
        assert found["loyaltyPoints"] == {"label": "Points", "balance": {"int": 121}}
        found = await client.ask(objects.update(resourceId=OBJECT_ID, body=OBJECT))
        assert "textModulesData" not in found
        # Changing the kind of a balance needs the old kind deleted.
        body = {"loyaltyPoints": {"balance": {"string": "121"}}}
        assert await client.ask(objects.patch(resourceId=OBJECT_ID, body=body)) == (400, "invalid")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unheard": 1}, "badRequest"),
        ({"version": "1"}, "badRequest"),
        ({"state": "active"}, "badRequest"),
        ({"state": None}, "badRequest"),
        ({"accountId": 1}, "badRequest"),
        ({"loyaltyPoints": {"balance": {"int": 2**31}}}, "badRequest"),
        ({"loyaltyPoints": {"balance": {"int": 1, "string": "1"}}}, "invalid"),
        ({"loyaltyPoints": {"balance": {"money": {"micros": 1, "currencyCode": "EUR"}}}}, "badRequest"),
        ({"merchantLocations": [{"latitude": 1, "longitude": 1}] * 11}, "invalid"),
        ({"messages": [{"body": "x"}] * 11}, "invalid"),
        ({"hasUsers": True}, "invalid"),
        ({"id": "other.m1"}, "invalidResource"),
        ({"id": f"{ISSUER}.a b"}, "invalidResource"),
        ({"linkedObjectIds": [f"{ISSUER}.none"]}, "invalidResource"),
        ({"linkedObjectIds": [OBJECT_ID]}, "invalidResource"),
    ],
)
async def test_what_the_schema_or_the_rules_forbid_is_refused(tmp_path, change, reason):
    async with google(tmp_path) as (double, client):
        assert await client.ask(client.service.loyaltyobject().insert(body=OBJECT | change)) == (400, reason)
        assert double.wallet.objects() == {}


async def test_a_draft_has_no_objects_and_what_is_approved_is_no_draft_again(tmp_path):
    async with google(tmp_path) as (_, client):
        classes, objects = client.service.loyaltyclass(), client.service.loyaltyobject()
        draft = CLASS | {"id": f"{ISSUER}.draft", "reviewStatus": "DRAFT"}
        await client.ask(classes.insert(body=draft))
        assert await client.ask(objects.insert(body=OBJECT | {"classId": draft["id"]})) == (400, "classNotApproved")
        body = {"reviewStatus": "DRAFT"}
        assert await client.ask(classes.patch(resourceId=CLASS_ID, body=body)) == (400, "invalid")
        missing = {key: value for key, value in CLASS.items() if key != "programLogo"} | {"id": f"{ISSUER}.new"}
        assert await client.ask(classes.insert(body=missing)) == (400, "required")


async def test_of_linked_objects_the_51st_is_ignored_without_a_word(tmp_path):
    others = [OBJECT | {"id": f"{ISSUER}.o{number}"} for number in range(51)]
    async with google(tmp_path, objects=others) as (_, client):
        body = OBJECT | {"linkedObjectIds": [found["id"] for found in others]}
        found = await client.ask(client.service.loyaltyobject().insert(body=body))
        assert len(found["linkedObjectIds"]) == 50


async def test_three_messages_notify_within_24_hours_and_the_fourth_is_over_quota(tmp_path):
    shift = timedelta(0)
    async with google(tmp_path, clock=lambda: datetime.now(UTC) + shift, objects=[OBJECT]) as (double, client):
        double.wallet.saved(OBJECT_ID)
        objects = client.service.loyaltyobject()
        for number in range(3):
            await client.ask(objects.addmessage(resourceId=OBJECT_ID, body=message(f"m{number}", "TEXT_AND_NOTIFY")))
        loud, still = (
            objects.addmessage(resourceId=OBJECT_ID, body=message("m3", kind)) for kind in ("TEXT_AND_NOTIFY", "TEXT")
        )
        with pytest.raises(HttpError) as refused:
            await asyncio.to_thread(loud.execute)
        text = f"Quota exceeded for issuer {ISSUER} when adding TEXT_AND_NOTIFY message to object {OBJECT_ID}."
        reason = {"message": text, "domain": "walletobjects", "reason": "quotaExceeded"}
        assert json.loads(refused.value.content) == {"error": {"code": 403, "message": text, "errors": [reason]}}
        assert [entry["body"] for entry in (await client.ask(still))["resource"]["messages"]] == [
            "m0",
            "m1",
            "m2",
            "m3",
        ]
        assert double.wallet.shown[OBJECT_ID] == ["m0", "m1", "m2"]
        shift = timedelta(hours=24)
        double.tokens.known = dict.fromkeys(double.tokens.known, datetime.now(UTC) + 2 * shift)
        assert "resource" in await client.ask(loud)


async def test_an_update_notifies_only_where_it_is_asked_to_each_time_and_only_of_listed_fields(tmp_path):
    async with google(tmp_path, objects=[OBJECT]) as (double, client):
        double.wallet.saved(OBJECT_ID)

        async def patch(**body):
            return await client.ask(client.service.loyaltyobject().patch(resourceId=OBJECT_ID, body=body))

        loud = {"notifyPreference": "NOTIFY_ON_UPDATE"}
        found = await patch(loyaltyPoints={"balance": {"int": 1}}, **loud)
        assert "notifyPreference" not in found
        await patch(loyaltyPoints={"balance": {"int": 2}})
        await patch(accountName="Ada", **loud)
        assert double.wallet.shown[OBJECT_ID] == ["update"]
        generic = client.service.genericobject().patch(resourceId=OBJECT_ID, body=loud)
        assert (await client.ask(generic))[0] == 404
        double.wallet.insert("genericClass", {"id": f"{ISSUER}.g"})
        title = {"defaultValue": {"language": "en", "value": "x"}}
        made = {"id": f"{ISSUER}.g1", "classId": f"{ISSUER}.g", "cardTitle": title, "header": title}
        double.wallet.insert("genericObject", made)
        generic = client.service.genericobject().patch(resourceId=f"{ISSUER}.g1", body=loud)
        assert await client.ask(generic) == (400, "badRequest")


async def test_the_11th_message_is_refused_and_a_patch_that_wipes_messages_is_noticed(tmp_path):
    async with google(tmp_path, objects=[OBJECT]) as (double, client):
        objects = client.service.loyaltyobject()
        for number in range(10):
            await client.ask(objects.addmessage(resourceId=OBJECT_ID, body=message("x", name=f"m{number}")))
        assert await client.ask(objects.addmessage(resourceId=OBJECT_ID, body=message("x"))) == (400, "invalid")
        kept = [message("x", name=f"m{number}")["message"] for number in range(1, 10)]
        await client.ask(objects.patch(resourceId=OBJECT_ID, body={"messages": kept}))
        assert double.wallet.complaints == []
        await client.ask(objects.patch(resourceId=OBJECT_ID, body={"messages": kept[:1]}))
        assert len(double.wallet.complaints) == 1


async def test_parts_of_a_batch_are_done_in_any_order_and_count_one_each(tmp_path):
    others = [OBJECT | {"id": f"{ISSUER}.o{number}"} for number in range(25)]
    standing = datetime.now(UTC)
    async with google(tmp_path, clock=lambda: standing, objects=others) as (double, client):
        objects = client.service.loyaltyobject()
        found = await client.batch(
            *(objects.patch(resourceId=entry["id"], body={"accountId": "x"}) for entry in others)
        )
        assert sum(error is None for _, error in found) == 20
        assert {error.resp.status for _, error in found if error is not None} == {429}
        done = [call.resource_id for call in double.wallet.calls]
        assert done != sorted(done, key=[entry["id"] for entry in others].index)
        standing += timedelta(seconds=1)
        answered = await client.batch(*(objects.get(resourceId=f"{ISSUER}.o{number}") for number in range(3)))
        assert [answer["id"] for answer, _ in answered] == [f"{ISSUER}.o{number}" for number in range(3)]
        assert (double.batches, double.largest_batch, double.wallet.throttled) == (2, 25, 5)


async def test_a_batch_has_1000_parts_and_the_other_client_knows_it(tmp_path):
    async with google(tmp_path) as (double, client):
        objects = client.service.loyaltyobject()
        requests = [objects.get(resourceId=OBJECT_ID) for _ in range(1001)]
        with pytest.raises(BatchError):
            await client.batch(*requests)
        assert double.batches == 0


async def test_an_answer_that_is_lost_was_done_and_one_that_is_cut_was_not(tmp_path):
    async with google(tmp_path, objects=[OBJECT]) as (double, client):
        objects = client.service.loyaltyobject()
        await client.ask(objects.get(resourceId=OBJECT_ID))
        # The other client tries once more by itself.
        double.wallet.rules.lose, double.wallet.rules.drop = {2, 3}, {4, 5}
        for number in (1, 2):
            body = {"accountId": f"x{number}"}
            with pytest.raises((OSError, HTTPException)):
                await asyncio.to_thread(objects.patch(resourceId=OBJECT_ID, body=body).execute)
        assert (await client.ask(objects.get(resourceId=OBJECT_ID)))["accountId"] == "x1"


async def test_a_stranger_is_refused_and_nothing_can_be_deleted(tmp_path):
    async with google(tmp_path, objects=[OBJECT]) as (double, client):
        double.wallet.rules.stranger = True
        request = client.service.loyaltyobject().get(resourceId=OBJECT_ID)
        assert await client.ask(request) == (403, "permissionDenied")
        double.wallet.rules.stranger = False
        request.method = "DELETE"
        assert (await client.ask(request))[0] == 404


@pytest.mark.parametrize(
    ("spoilt", "complaint"),
    [
        ({"_service_account_email": "other@example.com"}, "Invalid issuer"),
        ({"_scopes": ["https://www.googleapis.com/auth/drive"]}, "Invalid scope"),
        ({}, "Token is not within its lifetime"),
    ],
)
async def test_an_assertion_that_is_wrong_gets_no_token(tmp_path, monkeypatch, spoilt, complaint):
    clock = utc_now if spoilt else lambda: utc_now() + timedelta(hours=3)
    async with google(tmp_path, clock=clock) as (double, client):
        for name, value in spoilt.items():
            monkeypatch.setattr(client.credentials, name, value)
        with pytest.raises(exceptions.RefreshError):
            await client.ask(client.service.loyaltyobject().get(resourceId=OBJECT_ID))
        assert (double.tokens.refusals[0], double.wallet.calls) == (complaint, [])


async def test_a_token_that_was_taken_back_is_renewed_by_the_other_client(tmp_path):
    async with google(tmp_path, objects=[OBJECT]) as (double, client):
        for minted in (1, 2):
            await client.ask(client.service.loyaltyobject().get(resourceId=OBJECT_ID))
            assert double.tokens.minted == minted
            double.tokens.revoke()


async def test_a_jwt_is_validated_without_effect_and_inserted_with_a_link_to_save(tmp_path):
    async with google(tmp_path) as (double, client):
        service, account = client.service.jwt(), double.account
        payload = {"loyaltyObjects": [OBJECT]}
        validate = service.validate(body={"jsonResource": {"json": json.dumps({"payload": payload})}})
        assert await client.ask(validate) == {}
        wrong = service.validate(body={"jsonResource": {"json": json.dumps({"loyaltyObjects": [{"x": 1}]})}})
        assert (await client.ask(wrong))[0] == 400
        assert (await client.ask(service.validate(body={})))[0] == 400
        assert double.wallet.objects() == {}
        claims = {"iss": account.email, "aud": "google", "typ": "savetowallet", "iat": 1, "payload": payload}
        token = double.saving.signed(claims)
        found = await client.ask(service.insert(body={"jwt": token}))
        assert found["saveUri"] == f"{ADDRESS}{token}"
        assert double.saving.open(found["saveUri"]) == [OBJECT_ID]
        assert double.wallet.objects()[OBJECT_ID]["hasUsers"]
        bad = double.saving.signed(claims | {"typ": "other"})
        assert await client.ask(service.insert(body={"jwt": bad})) == (400, "invalidJwt")


async def test_scripted_answers_come_before_everything_else(tmp_path):
    async with google(tmp_path, objects=[OBJECT]) as (double, client):
        double.wallet.script["get loyaltyObject"].append(
            Answer(503, {"error": {"code": 503, "errors": [{"reason": "backendError"}]}})
        )
        request = client.service.loyaltyobject().get(resourceId=OBJECT_ID)
        assert await client.ask(request) == (503, "backendError")
        assert (await client.ask(request))["id"] == OBJECT_ID

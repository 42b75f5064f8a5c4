import asyncio
from datetime import timedelta

import pytest

from flatfile_sync.domain.states import Outcome, PassStatus, Purpose
from flatfile_sync.wallets.google.platform import Google
from tests import pass_types
from tests.google_double.answers import refusal
from tests.google_line import CLASS_ID, ISSUER, OBJECT_ID, card, line, parcel, platform

INSERT, PATCH, GET = (f"{word} loyaltyObject" for word in ("insert", "patch", "get"))
MESSAGES = [
    {"id": f"m{number}", "header": "News", "body": f"text {number}", "messageType": "TEXT"} for number in (1, 2)
]


def points(double, object_id=OBJECT_ID):
    return double.wallet.objects()[object_id]["loyaltyPoints"]["balance"]


async def test_a_class_is_made_first_then_the_object_and_an_equal_content_is_no_call():
    async with line(callback_url="https://www.example.com/google") as (double, found):
        settled = await found.send(parcel(1, installed=0))
        assert settled[1].outcome is Outcome.SENT
        assert found.calls() == ["get loyaltyClass", "insert loyaltyClass", INSERT]
        made = double.wallet.resources["loyaltyClass"][f"{ISSUER}.loyalty.card"]
        assert made["callbackOptions"] == {"url": "https://www.example.com/google"}
        assert double.wallet.objects()[OBJECT_ID]["barcode"] == {"type": "QR_CODE", "value": "M000001"}
        assert (await found.send(parcel(2)))[2].outcome is Outcome.SENT
        assert found.calls() == []
        assert (await found.send(parcel(3, points=121)))[3].outcome is Outcome.SENT
        assert (found.calls(), points(double)) == ([PATCH], {"int": 121})


async def test_a_void_is_a_change_of_state():
    async with line(saved=[1]) as (double, found):
        await found.send(parcel(1, status=PassStatus.VOIDED))
        assert (found.calls(), double.wallet.objects()[OBJECT_ID]["state"]) == ([PATCH], "INACTIVE")
        await found.send(parcel(2, status=PassStatus.EXPIRED))
        assert double.wallet.objects()[OBJECT_ID]["state"] == "EXPIRED"


async def test_a_class_is_looked_at_once_and_patched_when_its_template_changed():
    async with line(saved=[1]) as (double, found):
        other = card(google_class=pass_types.CLASS | {"hexBackgroundColor": "#0c2238", "rewardsTier": "Gold"})
        await found.send(parcel(1, points=1, pass_type=other))
        assert found.calls() == ["get loyaltyClass", "patch loyaltyClass", PATCH]
        await found.send(parcel(2, points=2, pass_type=other))
        assert found.calls() == [PATCH]
        await found.send(parcel(3, points=3))
        assert found.calls() == ["get loyaltyClass", "patch loyaltyClass", PATCH]
        made = double.wallet.resources["loyaltyClass"][f"{ISSUER}.loyalty.card"]
        assert "hexBackgroundColor" not in made
        assert "rewardsTier" not in made
        # Another process sees that there is nothing to do.
        found.platform = platform(found.platform._client)
        await found.send(parcel(4, points=4))
        assert found.calls() == ["get loyaltyClass", PATCH]


async def test_what_leaves_the_object_is_deleted_and_messages_and_others_fields_stay():
    async with line(saved=[1]) as (double, found):
        held = double.wallet.objects()[OBJECT_ID]
        held["messages"], held["smartTapRedemptionValue"] = list(MESSAGES), "theirs"
        document = {"additionalData.points": 120, "additionalData.picture": "gold"}
        await found.send(parcel(1, document=document))
        assert held["heroImage"]["sourceUri"]["uri"].startswith("https://www.example.com/images/")
        await found.send(parcel(2, document={"additionalData.points": 120}))
        assert "heroImage" not in held
        as_text = card(
            google_object=pass_types.with_(
                pass_types.OBJECT, ("loyaltyPoints", "balance"), {"string": "{{ additionalData.points }}"}
            )
        )
        await found.send(parcel(3, pass_type=as_text))
        assert held["loyaltyPoints"] == {"label": "Points", "balance": {"string": "120"}}
        assert (held["messages"], held["smartTapRedemptionValue"]) == (MESSAGES, "theirs")
        assert double.wallet.complaints == []


async def test_an_object_that_is_not_there_is_inserted_and_one_that_is_there_is_compared():
    async with line(saved=[1, 2]) as (double, found):
        del double.wallet.resources["loyaltyObject"][OBJECT_ID]
        await found.send(parcel(1, points=5))
        assert (found.calls(), points(double)) == ([PATCH, INSERT], {"int": 5})
        found.memories.clear()
        await found.send(parcel(2, points=6, installed=0))
        assert (found.calls(), points(double)) == ([INSERT, GET, PATCH], {"int": 6})
        found.memories.clear()
        await found.send(parcel(3, points=6, installed=0))
        assert found.calls() == [INSERT, GET]


async def test_an_object_that_somebody_saved_from_a_link_is_read_before_it_is_changed():
    async with line(saved=[1]) as (double, found):
        found.memories.clear()
        await found.send(parcel(1, points=7))
        assert (found.calls(), points(double)) == ([GET, PATCH], {"int": 7})
        assert found.memories[1]["users"] is True


@pytest.mark.parametrize("word", ["patch", "insert"])
async def test_a_call_whose_answer_is_lost_is_looked_up_and_not_made_again(word):
    async with line(saved=[1]) as (double, found):
        if word == "insert":
            double.wallet.resources["loyaltyObject"].clear()
            found.memories.clear()
        double.wallet.rules.lose = {double.seen + 1}
        settled = await found.send(parcel(1, points=8, installed=int(word == "patch")))
        assert settled[1].outcome is Outcome.SENT
        assert (found.calls(), points(double)) == ([f"{word} loyaltyObject", GET], {"int": 8})


async def test_a_call_that_was_lost_on_its_way_is_made_again():
    async with line(saved=[1]) as (double, found):
        double.wallet.rules.drop = {double.seen + 1}
        assert (await found.send(parcel(1, points=8)))[1].outcome is Outcome.SENT
        assert (found.calls(), points(double)) == ([GET, PATCH], {"int": 8})


async def test_what_stays_unknown_goes_back_and_is_looked_at_first_next_time():
    async with line(saved=[1]) as (double, found):
        double.wallet.rules.lose = {double.seen + 1}
        double.wallet.rules.drop = {double.seen + 2}
        settled = await found.send(parcel(1, points=8))
        assert (settled[1].outcome, settled[1].retry_after, settled[1].reason) == (None, 0.0, "no_answer")
        found.calls()
        assert (await found.send(parcel(1, points=8, attempts=2)))[1].outcome is Outcome.SENT
        assert found.calls() == [GET]


async def test_a_content_that_goes_back_to_what_it_was_is_not_taken_for_sent_when_one_between_is_unknown():
    async with line(saved=[1]) as (double, found):
        double.wallet.rules.lose = {double.seen + 1}
        double.wallet.rules.drop = {double.seen + 2}
        await found.send(parcel(1, points=8))
        # The delivery was overtaken by one that asks for what we sent last and were sure of.
        await found.send(parcel(2, points=120))
        assert points(double) == {"int": 120}


async def test_a_process_that_died_may_have_sent_what_it_did_not_live_to_remember():
    async with line(saved=[1]) as (double, found):
        remembered = dict(found.memories)
        await found.send(parcel(1, points=8))
        found.memories = remembered
        found.platform = platform(found.platform._client)
        await found.send(parcel(2, points=120))
        assert points(double) == {"int": 120}


async def test_a_content_that_cannot_be_taken_fails_alone():
    async with line(saved=[1, 2]) as (double, found):
        double.wallet.script[PATCH].append(refusal(400, "invalid", "who knows").answer)
        settled = await found.send(parcel(1, points=1), parcel(2, points=1, pass_no=2))
        assert sorted((str(entry.outcome), entry.reason) for entry in settled.values()) == [
            ("failed", "invalid"),
            ("sent", ""),
        ]


async def test_a_missing_permission_opens_the_circuit_and_halts_all_that_was_not_sent():
    async with line(saved=range(1, 31)) as (double, found):
        double.wallet.rules.stranger = True
        settled = await found.send(*(parcel(number, pass_no=number, points=1) for number in range(1, 31)))
        assert {entry.halted for entry in settled.values()} == {True}
        circuit = found.platform._circuit
        assert circuit.reasons == {f"google:{ISSUER}": "403 permissionDenied"}
        assert (len(found.calls()), circuit.times.total()) == (20, 1)
        assert (await found.send(parcel(31, points=2)))[31].halted
        assert found.calls() == []
        double.wallet.rules.stranger = False
        await circuit.close(f"google:{ISSUER}")
        assert (await found.send(parcel(32, points=2)))[32].outcome is Outcome.SENT


async def test_an_account_that_gets_no_token_halts():
    async with line() as (double, found):
        double.tokens.audience = "https://elsewhere.example"
        assert (await found.send(parcel(1)))[1].halted
        assert found.platform._circuit.reasons == {f"google:{ISSUER}": "invalid_grant"}


async def test_a_template_that_google_refuses_halts_the_passes_of_its_type_only():
    async with line(saved=[1]) as (double, found):
        double.wallet.script["get loyaltyClass"].append(refusal(400, "invalid", "no").answer)
        other = card(google_class=pass_types.CLASS | {"rewardsTier": "Gold"})
        settled = await found.send(parcel(1, points=1, pass_type=other))
        name = f"google:{ISSUER}.loyalty.card"
        assert settled[1].halted
        assert found.platform._circuit.reasons == {name: "class: invalid"}


async def test_too_many_calls_go_back_with_waits_that_grow_and_differ():
    async with line(saved=[1, 2]) as (double, found):
        answers = [refusal(429, "rateLimitExceeded", "slow").answer, refusal(503, "backendError", "down").answer]
        double.wallet.script[PATCH].extend(answers)
        settled = await found.send(parcel(1, points=1), parcel(2, pass_no=2, points=1))
        assert {entry.retry_after for entry in settled.values()} == {1.0}
        double.wallet.script[GET].append(answers[1])
        settled = await found.send(parcel(1, points=1, attempts=4))
        assert (settled[1].retry_after, settled[1].reason) == (8.0, "503 backendError")


async def test_of_one_object_what_is_owed_goes_in_order_and_waits_for_what_failed():
    async with line(saved=[1]) as (double, found):
        settled = await found.send(parcel(1, points=1), parcel(2, text="Gate 5"))
        assert [entry.outcome for entry in settled.values()] == [Outcome.SENT] * 2
        assert found.calls() == [PATCH, "addmessage loyaltyObject"]
        double.wallet.script[PATCH].append(refusal(429, "rateLimitExceeded", "slow").answer)
        settled = await found.send(parcel(3, points=2), parcel(4, text="Gate 6"))
        assert [entry.outcome for entry in settled.values()] == [None] * 2
        assert found.calls() == [PATCH]


async def test_a_pass_type_without_a_google_template_fails():
    async with line() as (_, found):
        other = pass_types.made(pass_types.APPLE, None, None, google_type="")
        settled = await found.send(parcel(1, pass_type=other), parcel(2, pass_no=2))
        assert (settled[1].outcome, settled[1].reason) == (Outcome.FAILED, "no Google template for its pass type")
        assert settled[2].outcome is Outcome.SENT


async def test_objects_go_in_batches_of_a_second_each_and_never_two_calls_of_one_in_a_batch():
    async with line() as (double, found):
        clock = found.platform._client.clock
        begun = clock.now
        for start in (1, 41):
            owed = [parcel(number, pass_no=number, installed=0) for number in range(start, start + 40)]
            settled = await found.send(*owed)
            assert {entry.outcome for entry in settled.values()} == {Outcome.SENT}
        assert (double.wallet.throttled, double.largest_batch, double.wallet.complaints) == (0, 20, [])
        assert clock.now - begun == timedelta(seconds=81 / 20)


LOUD = card(
    google_object=pass_types.OBJECT | {"notifyPreference": "NOTIFY_ON_UPDATE"},
    purposes={"points": Purpose.TRANSACTIONAL, "notifyPreference": Purpose.TRANSACTIONAL},
)


async def test_a_change_that_notifies_says_so_each_time_and_takes_from_the_same_quota_as_messages():
    async with line(saved=[1]) as (double, found):
        owed = [parcel(number, points=number, pass_type=LOUD) for number in range(1, 5)]
        outcomes = [(await found.send(one))[one.delivery.id].outcome for one in owed]
        assert outcomes == [Outcome.SENT] * 3 + [Outcome.QUOTA_DOWNGRADED]
        assert (double.wallet.shown[OBJECT_ID], points(double)) == (["update"] * 3, {"int": 4})
        settled = await found.send(parcel(5, text="hello"))
        assert settled[5].outcome is Outcome.QUOTA_DOWNGRADED


async def test_a_change_that_notifies_does_so_once_when_its_answer_is_lost():
    async with line(saved=[1]) as (double, found):
        double.wallet.rules.lose = {double.seen + 1}
        assert (await found.send(parcel(1, points=1, pass_type=LOUD)))[1].outcome is Outcome.SENT
        assert double.wallet.shown[OBJECT_ID] == ["update"]


async def test_a_send_that_breaks_off_leaves_no_trust_in_memories():
    async with line(saved=[1]) as (_, found):

        def broken(_):
            raise RuntimeError

        client = found.platform._client
        sending, client.send = client.send, broken
        with pytest.raises(RuntimeError):
            await found.send(parcel(1, points=5))
        client.send = sending
        await found.send(parcel(2, points=120))
        assert found.calls() == [PATCH]


async def test_confirm_has_nothing_to_say():
    async with line() as (_, found):
        assert isinstance(found.platform, Google)
        assert await asyncio.wait_for(found.platform.confirm([parcel(1).delivery]), 1) == ()


async def test_classes_are_provided_before_anything_is_owed_and_those_that_fail_are_named():
    async with line() as (double, found):
        plain = pass_types.made(pass_types.APPLE, None, None, google_type="")
        assert await found.platform.provide_classes([("loyalty", card()), ("loyalty", plain)]) == {}
        assert found.calls() == ["get loyaltyClass", "insert loyaltyClass"]
        other = card(google_class=pass_types.CLASS | {"hexBackgroundColor": "#0c2238"})
        double.wallet.script["patch loyaltyClass"].append(refusal(503, "backendError", "down").answer)
        assert await found.platform.provide_classes([("loyalty", other)]) == {CLASS_ID: "503 backendError"}
        assert await found.platform.provide_classes([("loyalty", other)]) == {}
        assert double.wallet.resources["loyaltyClass"][CLASS_ID]["hexBackgroundColor"] == "#0c2238"
        await found.send(parcel(1, installed=0, pass_type=other))
        assert found.calls()[-1] == INSERT


async def test_a_change_that_notifies_for_marketing_does_so_only_for_a_holder_who_agreed():
    told = pass_types.OBJECT | {"notifyPreference": "NOTIFY_ON_UPDATE"}
    purposes = {"points": Purpose.TRANSACTIONAL, "notifyPreference": Purpose.MARKETING}
    offers = card(google_object=told, purposes=purposes)
    async with line(saved=[1]) as (double, found):
        await found.send(parcel(1, points=1, pass_type=offers))
        assert double.wallet.shown[OBJECT_ID] == []
        await found.send(parcel(2, points=2, pass_type=offers, marketing=True))
        assert double.wallet.shown[OBJECT_ID] == ["update"]

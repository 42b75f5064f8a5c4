from datetime import timedelta

from flatfile_sync.domain.states import Outcome
from flatfile_sync.wallets.google.messages import Note, message_id
from tests import pass_types
from tests.google_double.answers import notify_quota, refusal
from tests.google_line import ISSUER, OBJECT_ID, card, line, parcel

ADD, GET, PATCH, INSERT = (f"{word} loyaltyObject" for word in ("addmessage", "get", "patch", "insert"))


def held(double, object_id=OBJECT_ID):
    return [message["body"] for message in double.wallet.objects()[object_id].get("messages", ())]


async def test_a_message_is_added_under_an_id_of_ours_and_told_to_the_holder():
    async with line(saved=[1]) as (double, found):
        owed = parcel(1, text="Your gate is 5")
        assert (await found.send(owed))[1].outcome is Outcome.SENT
        (message,) = double.wallet.objects()[OBJECT_ID]["messages"]
        assert message == {
            "id": message_id(owed.delivery),
            "header": "Example Stores",
            "body": "Your gate is 5",
            "messageType": "TEXT_AND_NOTIFY",
        }
        assert (found.calls(), double.wallet.shown[OBJECT_ID]) == ([ADD], ["Your gate is 5"])


async def test_four_messages_of_a_day_are_three_notices_and_a_text():
    async with line(saved=[1]) as (double, found):
        settled = {}
        for number in range(1, 5):
            settled |= await found.send(parcel(number, text=f"text {number}"))
        assert [entry.outcome for entry in settled.values()] == [Outcome.SENT] * 3 + [Outcome.QUOTA_DOWNGRADED]
        assert double.wallet.shown[OBJECT_ID] == ["text 1", "text 2", "text 3"]
        assert held(double) == ["text 1", "text 2", "text 3", "text 4"]
        found.platform._client.clock.advance(timedelta(hours=24))
        assert (await found.send(parcel(5, text="tomorrow")))[5].outcome is Outcome.SENT


async def test_a_quota_that_only_google_knows_of_makes_it_a_text_once():
    async with line(saved=[1]) as (double, found):
        double.wallet.notices[OBJECT_ID] = [found.platform._client.clock.now] * 3
        settled = await found.send(parcel(1, text="hello"))
        assert (settled[1].outcome, held(double)) == (Outcome.QUOTA_DOWNGRADED, ["hello"])
        assert (found.calls(), double.wallet.shown[OBJECT_ID]) == ([ADD, ADD], [])
        double.wallet.script[ADD].extend([notify_quota(ISSUER, "loyaltyObject", OBJECT_ID).answer] * 2)
        double.wallet.notices.clear()
        settled = await found.send(parcel(2, text="again"))
        assert (settled[2].halted, found.calls()) == (False, [ADD, ADD])


async def test_a_permission_that_speaks_of_a_quota_is_no_quota():
    async with line(saved=[1]) as (double, found):
        text = "Quota project has no permission: quotaExceeded"
        double.wallet.script[ADD].append(refusal(403, "permissionDenied", text).answer)
        assert (await found.send(parcel(1, text="hello")))[1].halted
        assert found.calls() == [ADD]


async def test_a_pass_that_nobody_has_saved_gets_the_text_and_no_notice():
    async with line(saved=[1]) as (double, found):
        double.wallet.saved(OBJECT_ID, users=False)
        found.memories[1]["users"] = False
        settled = await found.send(parcel(1, text="hello"))
        assert (settled[1].outcome, held(double)) == (Outcome.NOT_INSTALLED, ["hello"])
        assert (double.wallet.complaints, found.platform._ledger.claimed[1]) == ([], {})
        double.wallet.saved(OBJECT_ID)
        assert (await found.send(parcel(2, text="hello again")))[2].outcome is Outcome.SENT
        assert double.wallet.shown[OBJECT_ID] == ["hello again"]


async def test_a_message_whose_answer_is_lost_is_looked_for_and_not_sent_again():
    async with line(saved=[1]) as (double, found):
        double.wallet.rules.lose = {double.seen + 1}
        assert (await found.send(parcel(1, text="hello")))[1].outcome is Outcome.SENT
        assert (found.calls(), held(double), double.wallet.shown[OBJECT_ID]) == ([ADD, GET], ["hello"], ["hello"])


async def test_a_message_that_was_lost_on_its_way_is_sent_again_as_one_notice():
    async with line(saved=[1]) as (double, found):
        double.wallet.rules.drop = {double.seen + 1}
        assert (await found.send(parcel(1, text="hello")))[1].outcome is Outcome.SENT
        assert (found.calls(), held(double)) == ([GET, ADD], ["hello"])
        assert len(found.platform._ledger.claimed[1]) == 1


async def test_a_second_attempt_looks_first_whatever_happened_to_the_first():
    async with line(saved=[1]) as (double, found):
        await found.send(parcel(1, text="hello"))
        found.calls()
        assert (await found.send(parcel(1, text="hello", attempts=2)))[1].outcome is Outcome.SENT
        assert (found.calls(), held(double)) == ([GET], ["hello"])
        double.wallet.notices[OBJECT_ID] = [found.platform._client.clock.now] * 3
        await found.send(parcel(2, text="a text"))
        settled = await found.send(parcel(2, text="a text", attempts=2))
        assert (settled[2].outcome, held(double)) == (Outcome.QUOTA_DOWNGRADED, ["hello", "a text"])


async def test_the_eleventh_message_takes_the_place_of_the_oldest_and_notifies_nobody_twice():
    async with line(saved=[1]) as (double, found):
        clock = found.platform._client.clock
        for number in range(1, 13):
            settled = await found.send(parcel(number, text=f"text {number}"))
            assert settled[number].outcome is Outcome.SENT
            clock.advance(timedelta(hours=9))
        assert held(double) == [f"text {number}" for number in range(3, 13)]
        assert double.wallet.shown[OBJECT_ID] == [f"text {number}" for number in range(1, 13)]
        assert double.wallet.complaints == []
        assert found.calls()[-3:] == [GET, PATCH, ADD]


async def test_messages_that_others_added_are_counted_when_google_refuses_one_more():
    async with line(saved=[1]) as (double, found):
        await found.send(parcel(1, text="first"))
        held_there = double.wallet.objects()[OBJECT_ID]["messages"]
        held_there.extend({"id": f"o{number}", "body": f"other {number}"} for number in range(9))
        found.calls()
        assert (await found.send(parcel(2, text="second")))[2].outcome is Outcome.SENT
        assert found.calls() == [ADD, GET, PATCH, ADD]
        assert held(double) == [f"other {number}" for number in range(9)] + ["second"]


async def test_a_message_for_an_object_that_is_not_there_makes_it_first():
    async with line(saved=[1]) as (double, found):
        double.wallet.resources["loyaltyObject"].clear()
        settled = await found.send(parcel(1, text="hello"))
        assert (settled[1].outcome, found.calls()) == (Outcome.NOT_INSTALLED, [ADD, GET, INSERT, ADD])
        assert held(double) == ["hello"]


async def test_a_message_has_the_languages_that_it_was_written_in():
    texts = {"": "Hello", "fr": "Bonjour", "de": "Hallo"}
    async with line(saved=[1], texts=lambda _: texts) as (double, found):
        await found.send(parcel(1, text="Hello"))
        (message,) = double.wallet.objects()[OBJECT_ID]["messages"]
        assert (message["body"], message["localizedBody"]) == (
            "Hello",
            {
                "defaultValue": {"language": "en", "value": "Hello"},
                "translatedValues": [{"language": "de", "value": "Hallo"}, {"language": "fr", "value": "Bonjour"}],
            },
        )


def test_a_message_without_its_fallback_language_has_another_of_its_texts():
    body = Note(id="x", header="News", texts={"fr": "Bonjour", "de": ""}, fallback="en").body("TEXT")
    assert body["body"] == "Bonjour"


async def test_the_title_of_a_generic_card_stands_above_its_messages():
    title = {"defaultValue": {"language": "en", "value": "Example Club"}}
    club = card(
        google_class={"multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES"},
        google_object={"cardTitle": title, "header": title},
        google_type="generic",
    )
    async with line() as (double, found):
        await found.send(parcel(1, installed=0, pass_type=club))
        double.wallet.saved(OBJECT_ID)
        settled = await found.send(parcel(2, text="hello", pass_type=club))
        assert settled[2].outcome is Outcome.SENT
        assert double.wallet.objects()[OBJECT_ID]["messages"][0]["header"] == "Example Club"


def test_the_id_of_a_message_is_that_of_its_delivery_and_the_same_for_each_attempt():
    first, again, other = parcel(1, text="x"), parcel(1, text="x", attempts=3), parcel(2, text="x")
    assert message_id(first.delivery) == message_id(again.delivery) != message_id(other.delivery)


def test_pass_types_of_these_tests_are_right():
    assert pass_types.made().google_type == "loyalty"

"""What is owed goes out in the right order, and each ending has its word in `.delivery.csv`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flatfile_sync.domain.delivery import Settlement
from flatfile_sync.domain.project import Feed
from flatfile_sync.domain.states import DeliveryKind, DropState, Outcome, Platform
from flatfile_sync.pipeline.deliver import confirm, deliver
from flatfile_sync.pipeline.line import advance, outstanding
from flatfile_sync.wallets.sandbox.platform import Sandbox
from tests.builders import kit as make_kit
from tests.builders import loyalty
from tests.line import ResultSet, receive, run, sandboxes, seed


@pytest.fixture
def kit(store, spool, clock):
    platforms = {platform: Sandbox(platform, rate=1e9, slow=0.0) for platform in Platform}
    return make_kit(store, spool, clock=clock, platforms=platforms)


def passes(kit, *behaviours):
    """Store one pass per behaviour of the sandbox and return a file that changes each."""
    seed(kit, *[({"memberId": word}, {"metadata.sandbox": word}) for word in behaviours])
    return "id.memberId,additionalData.points\n" + "".join(f"{word},7\n" for word in behaviours)


def words(kit, drop):
    rows = ResultSet(kit, drop).table("delivery.csv")
    return {row["_key"]: (row["_apple"], row["_google"], row["_attempts"]) for row in rows}


async def test_every_ending_has_its_word_at_the_horizon(kit):
    text = passes(kit, "well", "temporary", "permanent", "slow", "silent", "halted", "unregistered")
    drop = await run(kit, receive(kit, text))
    assert drop.state is DropState.REPORTED
    kit.clock.advance(timedelta(hours=24))
    drop = await run(kit, drop)
    assert drop.state is DropState.SETTLED
    assert words(kit, drop) == {
        "well": ("fetched", "sent", "1"),
        "temporary": ("fetched", "sent", "3"),
        "permanent": ("failed", "failed", "1"),
        "slow": ("fetched", "sent", "1"),
        "silent": ("unconfirmed", "sent", "1"),
        "halted": ("halted", "halted", "1"),
        "unregistered": ("unregistered", "unregistered", "1"),
    }


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [("breaks_call", ("fetched", "sent", "3")), ("refuses_call", ("failed", "failed", "1"))],
)
async def test_a_call_that_fails_fails_for_all_it_carried(kit, behaviour, expected):
    drop = await run(kit, receive(kit, passes(kit, "well", behaviour)))
    assert words(kit, drop) == {"well": expected, behaviour: expected}


async def test_what_fails_for_ever_is_failed_after_the_last_attempt(kit):
    kit = replace(kit, sends=replace(kit.sends, last=2))
    drop = await run(kit, receive(kit, passes(kit, "temporary")))
    assert words(kit, drop) == {"temporary": ("failed", "failed", "2")}


async def test_a_newer_revision_overtakes_the_older_one_and_is_sent_once(kit):
    text = passes(kit, "well", "other")
    older = receive(kit, text)
    await advance(older.id, kit=kit)
    newer = await run(kit, receive(kit, text.replace("well,7", "well,8").replace("other,7\n", "")))
    older = await run(kit, older)
    assert words(kit, older) == {"well": ("overtaken", "overtaken", "0"), "other": ("fetched", "sent", "1")}
    assert words(kit, newer) == {"well": ("fetched", "sent", "1")}
    assert {revision for revision, _ in kit.platforms[Platform.APPLE].contents.values()} == {2, 3}


class Noting(Sandbox):
    """A platform that remembers what came, call by call."""

    def __init__(self, name, **more):
        super().__init__(name, rate=1e9, **more)
        self.calls = []

    async def send(self, parcels):
        self.calls.append([parcel.delivery.kind for parcel in parcels])
        return await super().send(parcels)


async def test_a_message_goes_ahead_of_a_bulk_backlog(kit):
    wallet = Noting(Platform.APPLE, batch=2)
    kit = replace(kit, platforms=sandboxes() | {Platform.APPLE: wallet})
    bulk = Feed(name="members", lane="bulk")
    kit.projects.projects["loyalty"] = loyalty(bulk, *loyalty().feeds[1:])
    await advance(receive(kit, passes(kit, *"abcdef")).id, kit=kit)
    text = "id.memberId,op,notification.message,notification.purpose\nf,notify,Gate 4,transactional\n"
    await advance(receive(kit, text, feed="mixed").id, kit=kit)
    await deliver("apple", kit=kit)
    assert wallet.calls == [[DeliveryKind.MESSAGE], *[[DeliveryKind.CONTENT] * 2] * 3]


async def test_consent_withdrawn_between_owing_and_sending_is_respected(kit):
    seed(kit, ({"memberId": "1", "email": "one@x.example"}, {}), ({"memberId": "2", "email": "one@x.example"}, {}))
    head = "id.memberId,notification.message,consent.marketing,consent.marketing.at\n"
    campaign = receive(kit, head + "1,Sale,yes,2026-07-01T00:00:00Z\n", feed="campaign")
    await advance(campaign.id, kit=kit)
    assert ResultSet(kit, campaign).rows[0]["_notification"] == "queued"
    withdrawn = "id.memberId,consent.marketing,consent.marketing.at\n2,no,2026-07-02T00:00:00Z\n"
    await advance(receive(kit, withdrawn, feed="mixed").id, kit=kit)
    campaign = await run(kit, campaign)
    assert [row["_notification"] for row in ResultSet(kit, campaign).table("delivery.csv")] == ["no_consent"]
    assert kit.platforms[Platform.APPLE].messages == {}


async def test_an_older_opt_out_that_comes_late_does_not_undo_a_newer_opt_in(kit):
    seed(kit, ({"memberId": "1", "email": "one@x.example"}, {}))
    head = "id.memberId,op,notification.message,notification.purpose,consent.marketing,consent.marketing.at\n"
    text = head + "1,notify,Sale,marketing,yes,2026-07-02T00:00:00Z\n1,update,,,no,2026-07-01T00:00:00Z\n"
    found = ResultSet(kit, await run(kit, receive(kit, text, feed="mixed")))
    assert [row["_notification"] for row in found.table("delivery.csv")] == ["sent"]


class Forgetful(Sandbox):
    """A platform that answers for strangers and forgets whom it was asked about."""

    async def send(self, parcels):
        answers = await super().send(parcels)
        told = [answer for answer in answers if self.seen[answer.delivery_id] > 1]
        return [Settlement(delivery_id=10_000_000, outcome=Outcome.SENT), *told]


async def test_a_delivery_without_an_answer_goes_again(kit):
    kit = replace(kit, platforms={platform: Forgetful(platform, rate=1e9) for platform in Platform})
    drop = await run(kit, receive(kit, passes(kit, "well")))
    assert words(kit, drop) == {"well": ("fetched", "sent", "2")}


class Broken(Sandbox):
    """A platform whose adapter has a bug."""

    broken = True

    async def send(self, parcels):
        if self.broken:
            raise ZeroDivisionError
        return await super().send(parcels)


async def test_a_bug_of_an_adapter_is_an_internal_error_and_passes(kit):
    wallet = Broken(Platform.APPLE, rate=1e9)
    kit = replace(kit, platforms=sandboxes() | {Platform.APPLE: wallet})
    drop = receive(kit, passes(kit, "well"))
    await advance(drop.id, kit=kit)
    await deliver("apple", kit=kit)
    wallet.broken = False
    drop = await run(kit, drop)
    [row] = ResultSet(kit, drop).table("delivery.csv")
    assert (row["_apple"], row["_reason"]) == ("fetched", "")


async def test_silent_devices_do_not_hide_the_ones_behind_them(kit, monkeypatch):
    monkeypatch.setattr("flatfile_sync.pipeline.deliver._CONFIRM_BATCH", 2)
    text = passes(kit, "silent", "well", "other").replace("well", "s1").replace("other", "s2")
    seed(kit, ({"memberId": "s1"}, {"metadata.sandbox": "silent"}), ({"memberId": "s2"}, {}))
    await advance(receive(kit, text).id, kit=kit)
    await deliver("apple", kit=kit)
    await confirm("apple", kit=kit)
    waiting = [task.kind.value for task in await outstanding(kit=kit) if task.key == "apple"]
    assert waiting == ["confirm"]
    found = kit.store.read_now(lambda conn: conn.exec_driver_sql(_FETCHED).scalar_one())
    assert found == 1


_FETCHED = "SELECT count(*) FROM deliveries WHERE outcome = 'fetched'"

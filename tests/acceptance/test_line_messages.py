"""Messages to holders: when they go, how many, in which language, and what of them gets into a pass."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import count

import pytest

from flatfile_sync.domain.delivery import Settlement
from flatfile_sync.domain.states import DropState, Lane, Platform
from flatfile_sync.domain.windows import Cap, Hours, Hush
from flatfile_sync.pipeline.deliver import deliver
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import carried, deliveries, drops, lanes, notices, passes
from flatfile_sync.wallets.templates.showing import Message
from tests.builders import kit as make_kit
from tests.line import ResultSet, receive, run, sandboxes, seed

# The project lives in Paris, and the clock of a test begins at six in the morning there.
DAYTIME = Hush(window=Hours(time(9), time(20)))
NINE = datetime(2026, 8, 1, 7, tzinfo=UTC)
AGREED = "2026-07-01T00:00:00Z"


@pytest.fixture
def kit(store, spool, clock):
    return make_kit(store, spool, clock=clock, platforms=sandboxes())


def policy(kit, **changes):
    """Let the feed `campaign` notify in another way."""
    project = kit.projects.projects["loyalty"]
    feeds = tuple(
        replace(feed, notifications=replace(feed.notifications, **changes)) if feed.name == "campaign" else feed
        for feed in project.feeds
    )
    kit.projects.projects["loyalty"] = replace(project, feeds=feeds, version=f"v{next(_VERSIONS)}")


_VERSIONS = count(2)


def member(kit, number=1, apple=1, google=1, **document):
    seed(kit, ({"memberId": str(number), "email": f"{number}@x.example"}, document, apple, google))


def campaign(kit, *rows, columns="notification.message", feed="campaign"):
    """Receive messages to members who have agreed; each row begins with a member's number."""
    head = f"id.memberId,{columns},consent.marketing,consent.marketing.at\n"
    return receive(kit, head + "".join(f"{row},yes,{AGREED}\n" for row in rows), feed=feed)


async def send(kit):
    for platform in Platform:
        await deliver(platform.value, kit=kit)


def words(kit, drop):
    """Return (word of the result, word of the delivery report, attempts) of each record."""
    found = ResultSet(kit, drop)
    told = {row["_record"]: row for row in found.table("delivery.csv")} if "delivery.csv" in found.raw else {}
    nothing = {"_notification": "", "_attempts": ""}
    rows = ((row["_notification"], told.get(row["_record"], nothing)) for row in found.rows)
    return [(word, row["_notification"], row["_attempts"]) for word, row in rows]


def messages(kit, platform=Platform.APPLE):
    return [text for texts in kit.platforms[platform].messages.values() for text in texts]


def carried_by(kit, number=1):
    def work(conn):
        [row] = passes.find(conn, "loyalty", "memberId", str(number))
        return carried.of_passes(conn, [row.no]).get(row.no)

    return kit.store.read_now(work)


def pass_of(kit, number=1):
    return kit.store.read_now(lambda conn: passes.find(conn, "loyalty", "memberId", str(number)))[0]


async def test_a_message_waits_for_its_window_and_that_costs_no_attempt(kit):
    member(kit)
    policy(kit, hours=DAYTIME)
    drop = await run(kit, campaign(kit, "1,Sale"))
    assert drop.state is DropState.REPORTED
    assert (messages(kit), carried_by(kit)) == ([], None)
    assert kit.store.read_now(lambda conn: lanes.next_due(conn, "apple")) == NINE
    kit.clock.set(NINE)
    drop = await run(kit, drop)
    assert words(kit, drop) == [("quiet_hours", "sent", "1")]
    assert (messages(kit), messages(kit, Platform.GOOGLE)) == (["Sale"], ["Sale"])


async def test_hours_are_looked_at_again_at_the_moment_of_sending(kit):
    member(kit)
    drop = campaign(kit, "1,Sale")
    await advance(drop.id, kit=kit)
    assert ResultSet(kit, drop).rows[0]["_notification"] == "queued"
    policy(kit, hours=DAYTIME)
    await send(kit)
    assert messages(kit) == []
    assert kit.store.read_now(lambda conn: lanes.next_due(conn, "google")) == NINE
    kit.clock.set(NINE + timedelta(hours=12))
    await send(kit)
    assert messages(kit) == []
    kit.clock.set(NINE + timedelta(days=1))
    await send(kit)
    assert words(kit, await run(kit, drop)) == [("queued", "sent", "1")]


async def test_a_message_that_still_waits_at_the_horizon_stands_as_waiting(kit):
    member(kit)
    policy(kit, hours=replace(DAYTIME, days=(0,)))
    drop = await run(kit, campaign(kit, "1,Sale"))
    kit.clock.set(drop.horizon_at)
    await advance(drop.id, kit=kit)
    assert words(kit, drop) == [("quiet_hours", "waiting", "0")]
    kit.clock.set(datetime(2026, 8, 3, 7, tzinfo=UTC))
    await send(kit)
    assert messages(kit) == ["Sale"]


async def test_the_hours_are_those_of_the_holder(kit):
    zone = "metadata.source"
    member(kit, 1, **{zone: "Asia/Tokyo"})
    member(kit, 2, **{zone: "Europe/Pairs"})
    member(kit, 3)
    policy(kit, hours=DAYTIME, timezone=zone)
    drop = await run(kit, campaign(kit, "1,Sale", "2,Sale", "3,Sale"))
    assert [word for word, *_ in words(kit, drop)] == ["queued", "quiet_hours", "quiet_hours"]
    assert messages(kit) == ["Sale"]
    kit.clock.set(NINE)
    assert [word for _, word, _ in words(kit, await run(kit, drop))] == ["sent"] * 3


async def test_what_a_holder_waits_for_goes_at_any_hour_unless_the_feed_says_otherwise(kit):
    member(kit)
    policy(kit, hours=DAYTIME)
    project = kit.projects.projects["loyalty"]
    feeds = tuple(replace(feed, purpose=None) if feed.name == "campaign" else feed for feed in project.feeds)
    kit.projects.projects["loyalty"] = replace(project, feeds=feeds)
    drop = await run(kit, campaign(kit, "1,Gate 5"))
    assert words(kit, drop) == [("queued", "sent", "1")]
    policy(kit, transactional=True)
    drop = await run(kit, campaign(kit, "1,Gate 6"))
    assert words(kit, drop) == [("quiet_hours", "", "")]


async def test_not_before_and_the_window_both_hold(kit):
    member(kit)
    policy(kit, hours=DAYTIME)
    rows = ("1,Morning,2026-08-01T05:00:00Z", "1,Noon,2026-08-01T10:00:00Z", "1,Night,2026-08-01T21:00:00Z")
    drop = await run(kit, campaign(kit, *rows, columns="notification.message,notification.not_before"))
    assert [word for word, *_ in words(kit, drop)] == ["quiet_hours", "queued", "quiet_hours"]
    for at, expected in ((NINE, 1), (datetime(2026, 8, 1, 10, tzinfo=UTC), 2), (NINE + timedelta(days=1), 3)):
        kit.clock.set(at - timedelta(seconds=1))
        await send(kit)
        assert len(messages(kit)) == expected - 1
        kit.clock.set(at)
        await send(kit)
        assert len(messages(kit)) == expected


async def test_a_message_that_expires_is_never_carried(kit):
    member(kit)
    policy(kit, hours=DAYTIME)
    columns = "notification.message,notification.expires_at"
    rows = ("1,Early bird,2026-08-01T06:00:00Z", "1,Last year,2025-01-01T00:00:00Z")
    drop = await run(kit, campaign(kit, *rows, columns=columns))
    kit.clock.set(NINE)
    drop = await run(kit, drop)
    assert drop.state is DropState.SETTLED
    assert [word for _, word, _ in words(kit, drop)] == ["expired", "expired"]
    assert (messages(kit), carried_by(kit), pass_of(kit).revision) == ([], None, 1)


async def test_a_message_whose_hours_end_before_they_begin_again_expires_at_once(kit):
    member(kit)
    columns = "notification.message,notification.expires_at"
    drop = campaign(kit, "1,Sale,2026-08-01T06:00:00Z", columns=columns)
    await advance(drop.id, kit=kit)
    policy(kit, hours=DAYTIME)
    drop = await run(kit, drop)
    [row] = ResultSet(kit, drop).table("delivery.csv")
    assert (row["_notification"], row["_reason"]) == ("expired", "it expires before its hours begin")


async def test_a_pass_gets_as_many_messages_as_its_cap_allows(kit):
    member(kit)
    policy(kit, cap=Cap(messages=2, within=timedelta(days=7)))
    drop = await run(kit, campaign(kit, "1,One"))
    assert words(kit, drop) == [("queued", "sent", "1")]
    # Both are owed, since neither has gone yet; one of them is one too many.
    two = [campaign(kit, "1,Two"), campaign(kit, "1,Three")]
    for drop in two:
        await advance(drop.id, kit=kit)
    found = [words(kit, await run(kit, drop)) for drop in two]
    assert found == [[("queued", "sent", "1")], [("queued", "budget", "1")]]
    assert messages(kit) == messages(kit, Platform.GOOGLE) == ["One", "Two"]
    assert carried_by(kit).texts == {"": "Two"}
    drop = await run(kit, campaign(kit, "1,Four"))
    assert words(kit, drop) == [("budget", "", "")]
    assert ResultSet(kit, drop).statuses == ["unchanged"]
    kit.clock.advance(timedelta(days=7))
    drop = await run(kit, campaign(kit, "1,Five"))
    assert words(kit, drop) == [("queued", "sent", "1")]
    number = pass_of(kit).no
    assert len(kit.store.read_now(lambda conn: notices.of_passes(conn, [number]))[number]) == 1


async def test_a_cap_looks_at_the_moment_a_message_goes_not_at_the_one_it_comes(kit):
    member(kit)
    policy(kit, cap=Cap(messages=1, within=timedelta(hours=2)))
    await run(kit, campaign(kit, "1,One"))
    columns = "notification.message,notification.not_before"
    soon, later = "1,Soon,2026-08-01T06:00:00Z", "1,Later,2026-08-01T06:30:00Z"
    assert words(kit, await run(kit, campaign(kit, soon, columns=columns))) == [("budget", "", "")]
    assert words(kit, await run(kit, campaign(kit, later, columns=columns))) == [("queued", "", "")]


async def test_a_message_without_consent_never_gets_into_a_pass(kit):
    member(kit, 1)
    member(kit, 2)
    head = "id.memberId,notification.message,consent.marketing,consent.marketing.at\n"
    first = receive(kit, head + f"1,Sale,yes,{AGREED}\n2,Sale,,\n", feed="campaign")
    await advance(first.id, kit=kit)
    text = "id.memberId,consent.marketing,consent.marketing.at\n1,no,2026-07-02T00:00:00Z\n"
    await advance(receive(kit, text, feed="mixed").id, kit=kit)
    first = await run(kit, first)
    assert [word for word, *_ in words(kit, first)] == ["queued", "no_consent"]
    assert words(kit, first)[0][1] == "no_consent"
    assert [carried_by(kit, number) for number in (1, 2)] == [None, None]
    assert pass_of(kit, 1).revision == 1


class Noting:
    """A platform that keeps the parcels it was given."""

    def __init__(self, wallet):
        self.wallet, self.parcels = wallet, []

    def __getattr__(self, name):
        return getattr(self.wallet, name)

    async def send(self, parcels):
        self.parcels += parcels
        return await self.wallet.send(parcels)


async def test_a_pass_carries_its_message_in_every_language_and_devices_see_a_change(kit):
    kit = replace(kit, platforms={name: Noting(wallet) for name, wallet in sandboxes().items()})
    member(kit, 1)
    member(kit, 2, apple=0)
    before = pass_of(kit)
    columns = "notification.message,notification.message.fr"
    await run(kit, campaign(kit, "1,Double points,Points doublés", "2,,Points doublés", columns=columns))
    told = {"": "Double points", "fr": "Points doublés"}
    for wallet, number in ((kit.platforms[Platform.APPLE], 1), (kit.platforms[Platform.GOOGLE], 2)):
        parcels = {parcel.identifiers["memberId"]: parcel for parcel in wallet.parcels}
        assert len(parcels) == number
        assert parcels["1"].message == Message(told, 1)
        assert parcels["1"].delivery.texts == told
        assert parcels["1"].delivery.text == "Double points"
        assert parcels["1"].revision == 2
    assert parcels["2"].message.text("de", "en") == "Points doublés"
    after = pass_of(kit)
    assert (after.revision, after.modified_at) == (2, max(before.modified_at + 1, 1_785_556_992_000_000))
    # Nobody has the other one on a device: nothing has to look changed.
    assert pass_of(kit, 2).revision == 1
    assert carried_by(kit, 2).texts == {"fr": "Points doublés"}


async def test_an_equal_text_is_told_again_if_the_feed_says_so(kit):
    member(kit)
    for expected in (1, 2):
        await run(kit, campaign(kit, f"9,Not of this feed {expected}"))  # else the next file were a duplicate
        assert words(kit, await run(kit, campaign(kit, "1,Sale"))) == [("queued", "sent", "1")]
        assert (carried_by(kit).number, len(messages(kit))) == (expected, expected)
    policy(kit, repeat=False)
    await run(kit, campaign(kit, "9,Nobody"))
    drop = await run(kit, campaign(kit, "1,Sale"))
    [row] = ResultSet(kit, drop).table("delivery.csv")
    assert (row["_notification"], row["_reason"]) == ("sent", "the pass carries this text already")
    assert (carried_by(kit).number, messages(kit)) == (2, ["Sale", "Sale"])
    await run(kit, campaign(kit, "1,Sale ends"))
    assert (carried_by(kit).number, messages(kit)) == (3, ["Sale", "Sale", "Sale ends"])


async def test_of_two_messages_at_once_a_pass_carries_the_last_and_google_keeps_both(kit):
    member(kit, 1)
    drop = await run(kit, campaign(kit, "1,First", "1,Second"))
    assert (messages(kit), messages(kit, Platform.GOOGLE)) == (["Second"], ["First", "Second"])
    assert carried_by(kit).texts == {"": "Second"}
    rows = kit.store.read_now(lambda conn: deliveries.of_drop(conn, drop.id, [pass_of(kit).no]))
    found = {(row.record, row.platform): (row.outcome, row.reason) for row in rows}
    assert found[1, "apple"] == ("overtaken", "a newer message")
    assert {outcome for key, (outcome, _) in found.items() if key != (1, "apple")} == {"sent"}


class Slow(Noting):
    """Apple as it is: what was pushed is accepted, and fetched some day."""

    failing = 0

    async def send(self, parcels):
        self.parcels += parcels
        if self.failing:
            self.failing -= 1
            return [_waits(parcel) for parcel in parcels]
        return [_accepted(parcel) for parcel in parcels]

    async def confirm(self, _deliveries):
        return []


def _waits(parcel):
    return replace(_accepted(parcel), accepted=False, retry_after=0.0)


def _accepted(parcel):
    return Settlement(delivery_id=parcel.delivery.id, accepted=True)


async def test_a_message_that_no_device_fetched_is_overtaken_by_the_next(kit):
    wallet = Slow(sandboxes()[Platform.APPLE])
    kit = replace(kit, platforms=kit.platforms | {Platform.APPLE: wallet})
    member(kit, google=0)
    first = campaign(kit, "1,First")
    await advance(first.id, kit=kit)
    await send(kit)
    second = campaign(kit, "1,Second")
    await advance(second.id, kit=kit)
    await send(kit)
    await advance(first.id, kit=kit)
    assert words(kit, first) == [("queued", "overtaken", "1")]
    assert wallet.parcels[-1].message == Message({"": "Second"}, 2)


async def test_a_message_that_goes_again_is_not_a_new_one_and_does_not_come_back_over_a_newer(kit):
    wallet = Slow(sandboxes()[Platform.APPLE])
    wallet.failing = 2
    kit = replace(kit, platforms=kit.platforms | {Platform.APPLE: wallet})
    member(kit, google=0)
    first = campaign(kit, "1,First")
    await advance(first.id, kit=kit)
    await send(kit)
    kit.clock.advance(timedelta(seconds=2))
    await send(kit)
    assert [(parcel.message.number, parcel.revision) for parcel in wallet.parcels] == [(1, 2), (1, 2)]
    second = campaign(kit, "1,Second")
    await advance(second.id, kit=kit)
    await send(kit)
    kit.clock.advance(timedelta(minutes=1))
    await send(kit)
    await advance(first.id, kit=kit)
    assert words(kit, first) == [("queued", "overtaken", "3")]
    assert [parcel.message.number for parcel in wallet.parcels] == [1, 1, 2]
    assert carried_by(kit).texts == {"": "Second"}


async def test_a_dry_run_says_what_would_become_of_messages(kit):
    member(kit, 1)
    member(kit, 2)
    policy(kit, hours=DAYTIME)
    head = "id.memberId,notification.message,consent.marketing,consent.marketing.at\n"
    text = head + f"1,Sale,yes,{AGREED}\n2,Sale,,\n"
    drop = await run(kit, receive(kit, text, feed="campaign", dry_run=True))
    assert [word for word, *_ in words(kit, drop)] == ["quiet_hours", "no_consent"]
    assert messages(kit) == []


async def test_a_bulk_refresh_does_not_slow_down_what_it_overtakes(kit):
    project = kit.projects.projects["loyalty"]
    feeds = tuple(replace(feed, lane="bulk") if feed.name == "enrol" else feed for feed in project.feeds)
    kit.projects.projects["loyalty"] = replace(project, feeds=feeds)
    member(kit, 1)
    member(kit, 2)
    await advance(receive(kit, "id.memberId,additionalData.points\n1,1\n").id, kit=kit)
    text = "id.memberId,additionalData.points\n1,2\n2,2\n"
    await advance(receive(kit, text, feed="enrol").id, kit=kit)
    taken = kit.store.write_now(lambda conn: lanes.take(conn, "apple", limit=10, now=kit.clock()))
    assert [(entry.pass_no, entry.lane) for entry in taken] == [(pass_of(kit, 1).no, Lane.OPERATIONAL)]
    taken = kit.store.write_now(lambda conn: lanes.take(conn, "apple", limit=10, now=kit.clock()))
    assert [(entry.pass_no, entry.lane) for entry in taken] == [(pass_of(kit, 2).no, Lane.BULK)]


async def test_the_summary_says_when_the_last_of_a_drop_is_out_behind_what_goes_before_it(kit):
    project = kit.projects.projects["loyalty"]
    feeds = tuple(replace(feed, lane="bulk") if feed.name == "enrol" else feed for feed in project.feeds)
    kit.projects.projects["loyalty"] = replace(project, feeds=feeds)
    for number in (1, 2, 3):
        member(kit, number)
    kit.platforms[Platform.GOOGLE].rate = 0.5
    head = "id.memberId,additionalData.points\n"
    bulk = receive(kit, head + "1,9\n2,9\n", feed="enrol")
    await advance(bulk.id, kit=kit)
    urgent = receive(kit, head + "3,1\n")
    await advance(urgent.id, kit=kit)
    other = receive(kit, head + "1,8\n", feed="enrol")
    await advance(other.id, kit=kit)
    found = [ResultSet(kit, drop).summary["deliveries"]["google"] for drop in (bulk, urgent, other)]
    # Of the other file's one, the older one is overtaken: three wait.
    assert [(entry["owed"], entry["eta_seconds"]) for entry in found] == [(2, 4), (1, 2), (1, 6)]


async def test_consents_keep_the_wording_that_was_agreed_to(kit):
    member(kit)
    columns = ("consent.marketing", *(f"consent.marketing.{part}" for part in ("at", "source", "proof", "wording")))
    text = f"id.memberId,{','.join(columns)}\n1,yes,{AGREED},web,form 12,2026-01\n"
    drop = await run(kit, receive(kit, text, feed="mixed"))
    assert ResultSet(kit, drop).codes == [""]
    query = "SELECT source, proof, wording, granted FROM consents"
    [row] = kit.store.read_now(lambda conn: conn.exec_driver_sql(query).all())
    assert tuple(row) == ("web", "form 12", "2026-01", True)
    assert kit.store.read_now(lambda conn: drops.feeds_of(conn, [drop.id])) == {drop.id: "mixed"}

"""One mistake each, made on purpose; the scenario beside it must notice. As it is, the code passes all of them."""

import json
import struct

import pytest

from flatfile_sync.domain.states import Outcome
from flatfile_sync.pipeline.saves import note_save
from flatfile_sync.store import nonces, passes
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.google import callbacks, client, contents, messages, platform, reasons, steps
from flatfile_sync.wallets.google.calls import NO_ANSWER, Answer
from flatfile_sync.wallets.google.platform import Google
from flatfile_sync.wallets.google.reasons import Action
from flatfile_sync.wallets.google.rendering import object_thing
from tests.builders import kit
from tests.google_double.answers import refusal
from tests.google_double.callbacks import Sender, Told
from tests.google_line import CLASS_ID, ISSUER, OBJECT_ID, line, parcel

# --- scenarios


async def a_permission_that_speaks_of_a_quota_halts():
    async with line(saved=[1]) as (double, found):
        denied = refusal(403, "permissionDenied", "Quota project: permission denied, quota exceeded").answer
        double.wallet.script["addmessage loyaltyObject"].append(denied)
        settled = await found.send(parcel(1, text="hello"))
        assert settled[1].halted
        assert "messages" not in double.wallet.objects()[OBJECT_ID]


async def earlier_messages_outlive_a_change_and_the_eleventh_message():
    async with line(saved=[1]) as (double, found):
        for number in range(1, 12):
            await found.send(parcel(number, text=f"text {number}"), parcel(100 + number, points=number))
        held = [message["body"] for message in double.wallet.objects()[OBJECT_ID]["messages"]]
        assert held == [f"text {number}" for number in range(2, 12)]
        assert double.wallet.complaints == []


async def a_backlog_keeps_to_20_calls_a_second():
    async with line(saved=range(1, 61)) as (double, found):
        for start in (1, 21, 41):
            owed = [parcel(number, pass_no=number, points=1) for number in range(start, start + 20)]
            settled = await found.send(*owed)
            assert {entry.outcome for entry in settled.values()} == {Outcome.SENT}
        assert double.wallet.throttled == 0


async def what_has_no_answer_is_looked_up():
    async with line(saved=[1]) as (double, found):
        double.wallet.rules.lose = {double.seen + 1}
        settled = await found.send(parcel(1, points=5))
        assert settled[1].outcome is Outcome.SENT
        double.wallet.rules.lose = {double.seen + 1}
        settled = await found.send(parcel(2, text="hello"))
        assert settled[2].outcome is Outcome.SENT
        assert len(double.wallet.objects()[OBJECT_ID]["messages"]) == 1


async def an_object_that_is_not_there_is_made():
    async with line(saved=[1]) as (double, found):
        double.wallet.resources["loyaltyObject"].clear()
        assert (await found.send(parcel(1, points=5)))[1].outcome is Outcome.SENT
        assert OBJECT_ID in double.wallet.objects()


async def calls_of_one_object_are_done_in_order():
    async with line(saved=[1]) as (double, found):
        for number in range(1, 9):
            await found.send(parcel(2 * number, points=2 * number), parcel(2 * number + 1, points=2 * number + 1))
            assert double.wallet.objects()[OBJECT_ID]["loyaltyPoints"]["balance"] == {"int": 2 * number + 1}
        assert double.wallet.complaints == []


async def a_text_beyond_ascii_is_signed_by_its_bytes(clock):
    sender = Sender(clock=clock)
    keys = callbacks.root_keys(json.dumps(sender.keys()).encode())
    body = sender.callback(OBJECT_ID, CLASS_ID, Told(more={"note": "Grüße 🎫"}))
    assert isinstance(callbacks.verify(body, keys=keys, recipient=ISSUER, now=clock()), callbacks.Callback)


async def a_callback_that_is_repeated_counts_once(store, spool, clock):
    row = PassRow(0, "p1", "loyalty", "card", "active", 1, "{}", None, "{}", 0, 0, 0)
    store.write_now(lambda conn: passes.create_many(conn, [row], tag=next_tag(conn), created_at=0))
    line = kit(store, spool, clock=clock)
    for _ in range(3):
        await note_save("p1", "save", "n1", kit=line)
    assert store.read_now(lambda conn: passes.by_id(conn, "p1")).google == 1


# --- mutants


def quota_by_text(monkeypatch):
    right = reasons.action

    def wrong(answer):
        return Action.QUIET if "quota" in str(answer.body).lower() else right(answer)

    for module in (contents, messages, steps, platform):
        monkeypatch.setattr(module, "action", wrong)


def change_wipes_messages(monkeypatch):
    right = contents.changes
    monkeypatch.setattr(contents, "changes", lambda ours, owned: right(ours, owned) | {"messages": []})


def room_is_made_by_wiping(monkeypatch):
    monkeypatch.setattr(messages, "MOST", 2)


def batch_counts_as_one(monkeypatch):
    right = client.Client._send

    async def wrong(self, asked):
        class One:
            async def take(self, _=1):
                await pace.take(1)

        pace, self._pace = self._pace, One()
        try:
            return await right(self, asked)
        finally:
            self._pace = pace

    monkeypatch.setattr(client.Client, "_send", wrong)


def unknown_is_failed(monkeypatch):
    right = client.Client.send

    async def wrong(self, asked):
        answers = await right(self, asked)
        return [Answer(400, reason="lost") if found.reason == NO_ANSWER else found for found in answers]

    monkeypatch.setattr(client.Client, "send", wrong)


def unknown_is_sent_again(monkeypatch):
    right = client.Client.send

    async def wrong(self, asked):
        answers = await right(self, asked)
        return await right(self, asked) if any(found.reason == NO_ANSWER for found in answers) else answers

    monkeypatch.setattr(client.Client, "send", wrong)


def missing_is_refused(monkeypatch):
    right = reasons.action

    def wrong(answer):
        found = right(answer)
        return Action.REFUSED if found is Action.MISSING else found

    for module in (contents, steps):
        monkeypatch.setattr(module, "action", wrong)


def order_is_lost(monkeypatch):
    """Let each delivery be work of its own, so that two calls of one object stand in one batch."""

    async def wrong(self, parcels):
        settled = []
        await self._provide([(found.delivery.project, found.pass_type) for found in parcels])
        chains = [[(found, object_thing(found, names=self._names, render=self._render_object))] for found in parcels]
        for told in await self._work([self._chain(chain) for chain in chains]):
            settled += told
        return settled

    monkeypatch.setattr(Google, "_send", wrong)


def lengths_in_characters(monkeypatch):
    def wrong(*parts):
        return b"".join(struct.pack("<I", len(part)) + part.encode() for part in parts)

    monkeypatch.setattr(callbacks, "signed_bytes", wrong)


def nonce_is_not_kept(monkeypatch):
    monkeypatch.setattr(nonces, "take", lambda conn, nonce, *, now: True)  # noqa: ARG005 - the shape of the right one


CASES = [
    (a_permission_that_speaks_of_a_quota_halts, quota_by_text),
    (earlier_messages_outlive_a_change_and_the_eleventh_message, change_wipes_messages),
    (earlier_messages_outlive_a_change_and_the_eleventh_message, room_is_made_by_wiping),
    (a_backlog_keeps_to_20_calls_a_second, batch_counts_as_one),
    (what_has_no_answer_is_looked_up, unknown_is_failed),
    (what_has_no_answer_is_looked_up, unknown_is_sent_again),
    (an_object_that_is_not_there_is_made, missing_is_refused),
    (calls_of_one_object_are_done_in_order, order_is_lost),
]


@pytest.mark.parametrize(("scenario", "mutant"), CASES, ids=[case[1].__name__ for case in CASES])
async def test_a_mutant_is_caught_where_the_right_code_passes(monkeypatch, scenario, mutant):
    await scenario()
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        await scenario()


async def test_lengths_in_characters_are_caught(monkeypatch, clock):
    await a_text_beyond_ascii_is_signed_by_its_bytes(clock)
    lengths_in_characters(monkeypatch)
    with pytest.raises(AssertionError):
        await a_text_beyond_ascii_is_signed_by_its_bytes(clock)


@pytest.mark.parametrize("mutated", [False, True])
async def test_a_nonce_that_is_not_kept_is_caught(monkeypatch, store, spool, clock, mutated):
    if not mutated:
        await a_callback_that_is_repeated_counts_once(store, spool, clock)
        return
    nonce_is_not_kept(monkeypatch)
    with pytest.raises(AssertionError):
        await a_callback_that_is_repeated_counts_once(store, spool, clock)

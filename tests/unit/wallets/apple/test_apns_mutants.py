"""Clients that make one mistake each; the scenario beside each must notice. The right client passes all of them."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from hpack import HeaderTuple

from flatfile_sync.wallets.apple.apns import Connection
from flatfile_sync.wallets.apple.apns_reasons import Action, Verdict
from flatfile_sync.wallets.apple.platform import Apple
from tests.apns_line import TOPIC, MemoryCircuit, OpenPace, apns, parcel, pushes, until
from tests.doubles import ManualClock


class EmptyBody(Connection):
    """Sends nothing where Apple wants an empty dictionary."""

    def payload(self):
        return b""


class BackgroundAtPriority10(Connection):
    """Says background and 10, which Apple calls an error."""

    def headers(self, push):
        found = [entry for entry in super().headers(push) if entry[0] != "apns-priority"]
        return [*found, HeaderTuple("apns-priority", "10")]


class NewIdOnRetry(Connection):
    """Makes up another id for a push that goes again."""

    def headers(self, push):
        if push.tries > 1:
            push.apns_id = str(uuid.uuid4())
        return super().headers(push)


class GoawayIsLost(Connection):
    """Takes what GOAWAY excludes for sent."""

    def _go_away(self, payload):
        last = int.from_bytes(payload[:4], "big")
        self.is_leaving = True
        self._source.leaving(self, "")
        for number in [number for number in self._open if number > last]:
            self._answer_for(number)

    def _answer_for(self, number):
        stream = self._open.pop(number)
        stream.status = 200
        self._answer(stream)


class GoawayHidesDoubles(Connection):
    """Sends everything in flight again, under new ids, so that no id is seen twice."""

    def _go_away(self, payload):  # noqa: ARG002 - that it is not looked at is the mistake
        self.is_leaving = True
        self._source.leaving(self, "")
        for number in list(self._open):
            push = self._open.pop(number).push
            push.apns_id = str(uuid.uuid4())
            self._source.unprocessed(push)


class Hasty(Apple):
    """Tries a 5xx again at once."""

    def _hold(self, verdicts):
        pass

    async def _push(self, pusher, topic, groups):
        found = await super()._push(pusher, topic, groups)
        return {
            key: (fate, Verdict(said.action, timedelta(0)) if said.action is Action.LATER else said)
            for key, (fate, said) in found.items()
        }


async def every_push_is_taken(connection):
    async with apns(connection=connection) as (_, pusher):
        assert {fate.reason for fate in await pusher.send(pushes(3))} == {""}


async def an_id_outlives_a_lost_answer(connection):
    async with apns(connection=connection) as (double, pusher):
        double.rules.reset = {2}
        sent = pushes(3)
        known = {push.apns_id for push in sent}
        await pusher.send(sent)
        assert set(double.accepted) == known


async def goaway_costs_no_push_and_no_second_one(connection):
    async with apns(connection=connection) as (double, pusher):
        double.rules.answering = False
        sending = asyncio.create_task(pusher.send(pushes(20)))
        await until(lambda: double.seen == 20)
        # The first ten are taken, and their answers come after the word that the others are not.
        double.go_away(last=19)
        await until(lambda: double.seen > 20 or sending.done() or pusher.counts.answered)
        double.release()
        await sending
        assert (len(double.pushed), double.doubled) == (20, {})


async def a_5xx_waits_15_minutes(platform):
    clock = ManualClock()
    async with apns(clock=clock) as (double, pusher):
        apple = platform(
            {TOPIC: pusher}, topic_of=lambda _: TOPIC, pace=OpenPace(), circuit=MemoryCircuit(), clock=clock
        )
        token = f"{1:064x}"
        double.script[token].append((503, "ServiceUnavailable"))
        while not (settled := (await apple.send([parcel(1, token)]))[0]).accepted:
            clock.advance(timedelta(seconds=settled.retry_after))
        assert double.complaints == []


CASES = [
    (every_push_is_taken, Connection, EmptyBody),
    (every_push_is_taken, Connection, BackgroundAtPriority10),
    (an_id_outlives_a_lost_answer, Connection, NewIdOnRetry),
    (goaway_costs_no_push_and_no_second_one, Connection, GoawayIsLost),
    (goaway_costs_no_push_and_no_second_one, Connection, GoawayHidesDoubles),
    (a_5xx_waits_15_minutes, Apple, Hasty),
]


@pytest.mark.parametrize(("scenario", "right", "mutant"), CASES, ids=[case[2].__name__ for case in CASES])
async def test_a_mutant_is_caught_where_the_right_client_passes(scenario, right, mutant):
    await scenario(right)
    with pytest.raises(AssertionError):
        await scenario(mutant)

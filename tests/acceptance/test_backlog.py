"""A gate moves ten minutes before doors, behind the backlog of a whole gift-card export: who learns of it, and when."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from flatfile_sync.domain.delivery import Settlement
from flatfile_sync.domain.states import DeliveryKind, Lane, Outcome, Platform
from flatfile_sync.pipeline.deliver import deliver
from flatfile_sync.pipeline.line import advance
from flatfile_sync.wallets.sandbox.platform import Sandbox
from tests.builders import kit as make_kit
from tests.line import receive, sandboxes, seed

# The index is the same on both; filling it takes PostgreSQL much longer.
BACKLOG = {"sqlite": 800_000, "postgresql": 100_000}
TICKETS = 300
RATE = 20


class Paced(Sandbox):
    """Google at its pace on the test's clock; `done` is set once it has seen `wanted` deliveries."""

    def __init__(self, clock, wanted):
        super().__init__(Platform.GOOGLE, rate=RATE, batch=RATE)
        self.clock, self.wanted = clock, wanted
        self.sent = []
        self.done = asyncio.Event()

    async def send(self, parcels):
        self.clock.advance(timedelta(seconds=len(parcels) / RATE))
        self.sent += [(parcel.delivery.lane, parcel.delivery.pass_no, self.clock.now) for parcel in parcels]
        if len(self.sent) >= self.wanted:
            self.done.set()
            await asyncio.get_running_loop().create_future()  # the rest of the backlog is nobody's concern here
        return [Settlement(delivery_id=parcel.delivery.id, outcome=Outcome.SENT) for parcel in parcels]


def owe_backlog(conn, now):
    """Owe every gift card its new balance, as the export that came before did; the first ones are there."""
    count = BACKLOG[conn.dialect.name]
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
        if conn.dialect.name == "sqlite"
        else f"WITH n(i) AS (SELECT generate_series(1, {count})) "
    )
    values = (
        f"'loyalty', i + {TICKETS}, 'google', 2, {int(Lane.BULK)}, 'd1', i, :now, '{DeliveryKind.CONTENT}', 'due', 0"
    )
    columns = "project, pass_no, platform, revision, lane, drop_id, record, due_at, kind, state, attempts"
    conn.execute(sa.text(f"INSERT INTO deliveries ({columns}) {numbers} SELECT {values} FROM n"), {"now": now})


@pytest.mark.timeout(180)
async def test_a_gate_change_is_out_before_a_backlog_of_eight_hundred_thousand(store, spool, clock):
    google = Paced(clock, wanted=TICKETS + RATE)
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes() | {Platform.GOOGLE: google}, chunk_records=1000)
    tickets = [({"memberId": f"T{number}"}, {"additionalData.tier": "Gold"}, 0, 1) for number in range(TICKETS)]
    cards = [({"memberId": f"C{number}"}, {"additionalData.points": 1}, 0, 1) for number in range(RATE)]
    seed(kit, *tickets, *cards)
    before = clock() - timedelta(minutes=5)
    store.write_now(lambda conn: owe_backlog(conn, int(before.timestamp() * 1_000_000)))
    rows = "".join(f"T{number},Silver\n" for number in range(TICKETS))
    dropped_at = clock.now
    drop = receive(kit, "id.memberId,additionalData.tier\n" + rows)
    await advance(drop.id, kit=kit)
    sending = asyncio.create_task(deliver("google", kit=kit))
    await asyncio.wait_for(google.done.wait(), 120)
    sending.cancel()
    first = google.sent[:TICKETS]
    assert {lane for lane, _, _ in first} == {Lane.OPERATIONAL}
    assert sorted(number for _, number, _ in first) == list(range(1, TICKETS + 1))
    assert first[-1][2] - dropped_at <= timedelta(seconds=TICKETS / RATE + 1)
    assert {lane for lane, _, _ in google.sent[TICKETS:]} == {Lane.BULK}

"""Google Wallet: save links a second and core, and a gate change behind a backlog at 20 calls a second.

    python -m tests.benchmarks.google LINKS BACKLOG

The backlog runs on a clock that is moved by whoever has to wait, against the double, whose own bucket refuses the
twenty-first call of a second. The gate changes while the backlog is on its way.
"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from flatfile_sync.domain.states import Lane, Platform
from flatfile_sync.pipeline.deliver import deliver
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import deliveries, memories, passes
from flatfile_sync.store.database import Store
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.migrate import prepare
from flatfile_sync.store.pacing import StoreLedger, StorePace
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.google.account import Source, service_account
from flatfile_sync.wallets.google.client import Client, http_client
from flatfile_sync.wallets.google.links import Links
from flatfile_sync.wallets.google.rendering import Names, object_renderer, object_thing
from flatfile_sync.wallets.google.tokens import Tokens
from tests import google_line
from tests.builders import kit, loyalty
from tests.doubles import FixedProjects, ManualClock
from tests.google_double.account import service_account as made_account
from tests.google_double.server import GoogleDouble, listening
from tests.google_double.tls import client_context

RATE = 20
GATES = 300
_BEFORE = 5  # batches of the backlog, before the gate changes


def links(count: int) -> dict[str, float]:
    """Return how many links a core makes a second: whole objects, ids only; and bare signatures of their size."""
    account = service_account(Source("account.json", made_account().file("https://localhost/token")))
    signer = Links(account, clock=ManualClock(datetime(2026, 8, 1, tzinfo=UTC)))
    render, names = object_renderer(google_line.image_url), Names(issuer=google_line.ISSUER)
    owed = [google_line.parcel(number, pass_no=number) for number in range(count)]
    begun = time.process_time()
    for _ in range(count):
        account.key.sign(bytes(800), PKCS1v15(), SHA256())
    figures = {"signatures": count / (time.process_time() - begun)}
    for name in ("whole", "skinny"):
        begun = time.process_time()
        for parcel in owed:
            thing = object_thing(parcel, names=names, render=render)
            assert thing is not None
            assert getattr(signer, name)(thing)
        figures[name] = count / (time.process_time() - begun)
    return figures


async def lanes(folder: Path, backlog: int) -> dict[str, Any]:
    """Return how long the gate change took by the clock, and what the double saw."""
    clock = ManualClock(datetime(2026, 8, 1, tzinfo=UTC))
    url = f"sqlite:///{folder / 'flatfile.db'}"
    prepare(url)
    store = Store(url)
    double = GoogleDouble(clock=clock, issuer=google_line.ISSUER)
    _seed(store, double, backlog + GATES)

    async def sleep(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))

    async with listening(double), http_client(context=client_context()) as http:
        account = service_account(Source("account.json", double.account_file))
        pace = StorePace(store, "google", rate=RATE, clock=clock, sleep=sleep)
        client = Client(Tokens(account, http=http, clock=clock), http=http, pace=pace, api=double.url)
        client.clock, client.account = clock, account  # type: ignore[attr-defined]
        wallet = google_line.platform(client, ledger=StoreLedger(store, Platform.GOOGLE, clock=clock))
        project = loyalty(pass_types=(google_line.card(),))
        line = kit(
            store,
            Spool(folder / "spool"),
            clock=clock,
            projects=FixedProjects({"loyalty": project}),
            platforms={Platform.GOOGLE: wallet},
        )
        _owe(store, clock, range(GATES + 1, GATES + backlog + 1), Lane.BULK)
        watch = _Watch(wallet, store, clock)
        begun, processor = clock.now, time.process_time()
        running = asyncio.create_task(deliver("google", kit=line))
        await asyncio.wait({running, asyncio.create_task(watch.out.wait())}, return_when=asyncio.FIRST_COMPLETED)
        took = time.process_time() - processor
        running.cancel()
        await asyncio.wait({running})
    store.close()
    return {
        "backlog": backlog,
        "gates": GATES,
        "seconds": (watch.out_at - watch.owed_at).total_seconds(),
        "before": (watch.owed_at - begun).total_seconds(),
        "throttled": double.wallet.throttled,
        "bulk_between": watch.bulk,
        # Both sides run in this process, so a core does more than this.
        "calls_per_core": len(double.wallet.calls) / took,
    }


class _Watch:
    """Changes the gate after some batches, and sees when the last ticket has it."""

    def __init__(self, wallet: Any, store: Store, clock: ManualClock) -> None:
        self.out = asyncio.Event()
        self.owed_at = self.out_at = clock.now
        self.bulk = 0
        self._store, self._clock, self._left, self._batches = store, clock, GATES, 0
        self._send, wallet.send = wallet.send, self.send

    async def send(self, parcels: Any) -> Any:
        settled = await self._send(parcels)
        self._batches += 1
        if self._batches == _BEFORE:
            self.owed_at = self._clock.now
            _owe(self._store, self._clock, range(1, GATES + 1), Lane.OPERATIONAL)
        elif self._batches > _BEFORE:
            done = sum(parcel.delivery.lane is Lane.OPERATIONAL for parcel in parcels)
            self._left -= done
            self.bulk += len(parcels) - done
            if not self._left:
                self.out_at = self._clock.now
                self.out.set()
        return settled


def _seed(store: Store, double: GoogleDouble, count: int) -> None:
    """Have passes that are at Google already, and remembered."""
    double.wallet.insert("loyaltyClass", google_line.CLASS)
    document = json.dumps({"additionalData.points": 121})
    rows = [
        PassRow(0, f"p{n}", "loyalty", "card", "active", 2, document, None, "{}", 0, 1, 0) for n in range(1, count + 1)
    ]
    for number in range(1, count + 1):
        double.wallet.insert("loyaltyObject", google_line.OBJECT | {"id": f"{google_line.ISSUER}.p{number}"})

    def work(conn: Any) -> None:
        made = passes.create_many(conn, rows, tag=next_tag(conn), created_at=0)
        known = {"digest": "of what was there", "keys": ["state"], "users": True, "messages": 0}
        memories.keep_many(conn, "google", {row.no: known for row in made})

    store.write_now(work)


def _owe(store: Store, clock: ManualClock, numbers: range, lane: Lane) -> None:
    due = int(clock.now.timestamp() * 1_000_000)
    rows = [(number, "google", 2, number) for number in numbers]
    store.write_now(
        lambda conn: deliveries.owe_content(conn, rows, project="loyalty", lane=lane, drop_id="d1", due_at=due)
    )


def main(count: int, backlog: int) -> None:
    """Measure, and print the figures."""
    folder = Path(tempfile.mkdtemp(prefix="google-"))
    try:
        found = {"links": links(count), "lanes": asyncio.run(lanes(folder, backlog))}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

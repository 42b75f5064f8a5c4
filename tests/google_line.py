"""Google for tests: pass types, parcels, and our client and platform talking to the double."""

import functools
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from flatfile_sync.domain.delivery import Delivery
from flatfile_sync.domain.states import DeliveryKind, DeliveryState, Lane, Outcome, PassStatus, Platform
from flatfile_sync.wallets.google.account import Source, service_account
from flatfile_sync.wallets.google.client import Client, http_client
from flatfile_sync.wallets.google.links import Links
from flatfile_sync.wallets.google.platform import Google
from flatfile_sync.wallets.google.rendering import Names, class_renderer, object_renderer
from flatfile_sync.wallets.google.tokens import Tokens
from flatfile_sync.wallets.platform import Parcel
from tests import pass_types
from tests.apns_line import MemoryCircuit
from tests.doubles import ManualClock
from tests.google_double.server import GoogleDouble, listening
from tests.google_double.tls import client_context

ISSUER = "3388000000012345678"
CLASS_ID, OBJECT_ID = f"{ISSUER}.loyalty.card", f"{ISSUER}.p1"
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


class ClockPace:
    """GCRA by hand: whoever has to wait moves the clock on."""

    def __init__(self, clock, rate=20):
        self.clock, self.interval = clock, timedelta(seconds=1 / rate)
        self.free_at = clock.now
        self.taken = 0

    async def take(self, count=1):
        self.taken += count
        self.free_at = max(self.free_at, self.clock.now) + count * self.interval
        self.clock.set(max(self.clock.now, self.free_at - self.interval))


class MemoryLedger:
    """Notices of this process, by the clock."""

    def __init__(self, clock, limit=3):
        self.clock, self.limit = clock, limit
        self.claimed = defaultdict(dict)

    async def claim(self, pass_no, key):
        day = timedelta(hours=24)
        known = {name: at for name, at in self.claimed[pass_no].items() if self.clock() - at < day}
        if key not in known and len(known) >= self.limit:
            return False
        self.claimed[pass_no] = known | {key: known.get(key, self.clock())}
        return True


@functools.cache
def _card():
    return pass_types.made()


def card(google_object=None, google_class=None, **changes):
    """Return the pass type of a loyalty card; its documents for Google may be others."""
    if google_object is None and google_class is None and not changes:
        return _card()
    documents = (pass_types.APPLE, google_class or pass_types.CLASS, google_object or pass_types.OBJECT)
    return pass_types.made(*documents, **changes)


def image_url(sha256):
    return f"https://www.example.com/images/{sha256[:8]}.png"


def parcel(
    number, *, pass_no=1, points=120, text=None, attempts=1, memory=None, installed=1, pass_type=None, **changes
):
    """Return a parcel of delivery `number`: the content of a pass, or with `text` a message."""
    delivery = Delivery(
        id=number,
        project="loyalty",
        pass_no=pass_no,
        pass_id=f"p{pass_no}",
        pass_type="card",
        platform=Platform.GOOGLE,
        kind=DeliveryKind.CONTENT if text is None else DeliveryKind.MESSAGE,
        revision=1,
        lane=Lane.OPERATIONAL,
        drop_id="d1",
        record=number,
        state=DeliveryState.SENDING,
        attempts=attempts,
        due_at=datetime(2026, 8, 1, tzinfo=UTC),
        text=text,
    )
    told = {
        "document": {"additionalData.points": points, "additionalData.tier": "Gold"},
        "status": PassStatus.ACTIVE,
        "revision": 1,
        "identifiers": {"memberId": f"M{pass_no:06}"},
    }
    return Parcel(
        delivery=delivery,
        installed=installed,
        pass_type=pass_type or card(),
        memory=memory or {},
        **(told | changes),
    )


class Line:
    """A platform, and the memories that the line would keep for it."""

    def __init__(self, platform, double):
        self.platform, self.double = platform, double
        self.memories = {}

    async def send(self, *parcels):
        """Send parcels with what is remembered of their passes, and return the settlements by delivery."""
        loaded = [replace(found, memory=self.memories.get(found.delivery.pass_no, found.memory)) for found in parcels]
        settled = await self.platform.send(loaded)
        for found, entry in zip(loaded, settled, strict=True):
            assert found.delivery.id == entry.delivery_id
            if entry.memory is not None:
                self.memories[found.delivery.pass_no] = orjson.loads(orjson.dumps(entry.memory))
        return {entry.delivery_id: entry for entry in settled}

    def calls(self):
        """Return what was asked of Google since the last look."""
        found = [call.operation for call in self.double.wallet.calls]
        self.double.wallet.calls.clear()
        return found


def platform(client, **changes):
    """Return a platform on a client that `google` made."""
    told = {
        "names": Names(issuer=ISSUER),
        "render_object": object_renderer(image_url),
        "render_class": class_renderer(image_url),
        "ledger": MemoryLedger(client.clock),
        "circuit": MemoryCircuit(),
        "links": Links(client.account, clock=client.clock),
        "jitter": lambda low, high: (low + high) / 2,
    }
    return Google(client, **(told | changes))


@asynccontextmanager
async def line(*, saved=(), **changes):
    """Yield the double and a line; the passes in `saved` are at Google with 120 points, and somebody has them."""
    google_settings = {key: changes.pop(key) for key in ("patience", "resources", "clock") if key in changes}
    async with google(**google_settings) as (double, client):
        found = Line(platform(client, **changes), double)
        if saved:
            settled = await found.send(*(parcel(-number, pass_no=number, installed=0) for number in saved))
            assert {entry.outcome for entry in settled.values()} == {Outcome.SENT}
            for number in saved:
                double.wallet.saved(f"{ISSUER}.p{number}")
                found.memories[number]["users"] = True
            found.calls()
        yield double, found


@asynccontextmanager
async def google(*, clock=None, patience=5.0, resources=()):
    """Yield the double and a client that talks to it; `resources` are there from the start, by (kind, resource)."""
    clock = clock or ManualClock(datetime(2026, 8, 1, tzinfo=UTC))
    double = GoogleDouble(clock=clock, issuer=ISSUER)
    for kind, found in resources:
        double.wallet.insert(kind, found)
    async with listening(double), http_client(context=client_context(), patience=patience) as http:
        account = service_account(Source("account.json", double.account_file))
        tokens = Tokens(account, http=http, clock=clock)
        client = Client(tokens, http=http, pace=ClockPace(clock), api=double.url)
        client.tokens, client.clock, client.account, client.http = tokens, clock, account, http
        yield double, client

"""Google for tests: pass types, parcels, and our client and platform talking to the double."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from flatfile_sync.wallets.google.account import Source, service_account
from flatfile_sync.wallets.google.client import Client, http_client
from flatfile_sync.wallets.google.tokens import Tokens
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

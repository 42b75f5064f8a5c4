"""Google Wallet as a daemon has it: settings, store and the line, against the double and the other client."""

import json
from contextlib import asynccontextmanager

import pytest

from flatfile_sync.config.google import GoogleSettings
from flatfile_sync.daemon.google import google
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.states import Lane, Outcome, Platform
from flatfile_sync.pipeline.deliver import deliver
from flatfile_sync.store import audit, deliveries, passes
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.google.callbacks import Callback
from tests.builders import kit, loyalty
from tests.doubles import FixedProjects
from tests.google_double.account import service_account
from tests.google_double.answers import Answer
from tests.google_double.callbacks import Sender
from tests.google_double.other_client import OtherClient
from tests.google_double.server import GoogleDouble, listening
from tests.google_double.tls import authorities
from tests.google_line import CLASS_ID, ISSUER, OBJECT_ID, card, image_url

FAST = 1000.0


@asynccontextmanager
async def running(store, spool, clock, folder, **changes):
    """Yield the double, the parts and a kit whose Google is real; the double is as fast as we are."""
    double = GoogleDouble(clock=clock, issuer=ISSUER)
    double.wallet.rate = FAST
    (folder / "ca.pem").write_bytes(authorities())
    async with listening(double):
        (folder / "account.json").write_bytes(double.account_file)
        told = {
            "service_account_file": str(folder / "account.json"),
            "authorities_file": str(folder / "ca.pem"),
            "issuer_id": ISSUER,
            "api_url": double.url,
            "callback_keys_url": f"{double.url}/keys",
            "requests_per_second": FAST,
        }
        settings = GoogleSettings(**(told | changes))
        parts = google(settings, store, clock=clock, image_url=image_url)
        project = loyalty(pass_types=(card(),))
        line = kit(
            store,
            spool,
            clock=clock,
            projects=FixedProjects({"loyalty": project}),
            platforms={Platform.GOOGLE: parts.platform},
        )
        try:
            yield double, parts, line
        finally:
            await parts.close()


def seed(store):
    document = json.dumps({"additionalData.points": 120})
    row = PassRow(0, "p1", "loyalty", "card", "active", 1, document, None, "{}", 0, 1, 0)
    store.write_now(lambda conn: passes.create_many(conn, [row], tag=next_tag(conn), created_at=0))


def owe(line, *texts):
    """Owe the content of the pass, and messages."""
    now = line.clock()
    due = int(now.timestamp() * 1_000_000)

    def work(conn):
        number = passes.by_id(conn, "p1").no
        deliveries.owe_current(
            conn, project="loyalty", pass_no=number, platform="google", revision=1, lane=Lane.OPERATIONAL, now=now
        )
        rows = [
            ("loyalty", number, "google", 1, 0, f"d{text}", place, due, json.dumps({"": text}), "transactional", None)
            for place, text in enumerate(texts)
        ]
        deliveries.owe_messages(conn, rows)

    line.store.write_now(work)


def outcomes(line, *texts):
    """Return the outcomes of messages."""
    number = line.store.read_now(lambda conn: passes.by_id(conn, "p1")).no
    found = [
        line.store.read_now(lambda conn, text=text: deliveries.of_drop(conn, f"d{text}", [number])) for text in texts
    ]
    return [entry.outcome for part in found for entry in part]


async def test_a_change_and_four_messages_reach_google_and_nothing_goes_twice(store, spool, clock, tmp_path):
    async with running(store, spool, clock, tmp_path) as (double, _, line):
        seed(store)
        owe(line)
        await deliver("google", kit=line)
        double.wallet.saved(OBJECT_ID)
        owe(line, "m1", "m2", "m3", "m4")
        await deliver("google", kit=line)
        assert outcomes(line, "m1", "m2", "m3", "m4") == [Outcome.SENT] * 3 + [Outcome.QUOTA_DOWNGRADED]
        assert double.wallet.shown[OBJECT_ID] == ["m1", "m2", "m3"]
        double.wallet.calls.clear()
        owe(line)
        await deliver("google", kit=line)
        assert (double.wallet.calls, double.wallet.complaints) == ([], [])


async def test_a_missing_permission_stops_the_issuer_and_is_an_event(store, spool, clock, tmp_path):
    async with running(store, spool, clock, tmp_path) as (double, parts, line):
        seed(store)
        double.wallet.rules.stranger = True
        owe(line, "m1")
        await deliver("google", kit=line)
        assert outcomes(line, "m1") == [None]
        told = store.read_now(lambda conn: audit.events(conn, "circuit_opened"))
        assert told == [{"name": parts.platform.issuer_circuit, "reason": "403 permissionDenied"}]


async def test_the_other_client_reads_what_we_wrote(store, spool, tmp_path):
    # Its tokens follow the time of day.
    async with running(store, spool, utc_now, tmp_path) as (double, _, line):
        seed(store)
        owe(line, "Your gate is 5")
        await deliver("google", kit=line)
        other = OtherClient(double, tmp_path)
        try:
            found = await other.ask(other.service.loyaltyobject().get(resourceId=OBJECT_ID))
            made_of = await other.ask(other.service.loyaltyclass().get(resourceId=CLASS_ID))
        finally:
            other.close()
        assert found["loyaltyPoints"] == {"label": "Points", "balance": {"int": 120}}
        assert [message["body"] for message in found["messages"]] == ["Your gate is 5"]
        assert made_of["programName"] == "Example Loyalty"


async def test_a_callback_is_verified_for_the_issuer_of_the_settings(store, spool, clock, tmp_path):
    async with running(store, spool, clock, tmp_path) as (double, parts, _):
        sender = Sender(clock=clock)
        double.served["/keys"] = Answer(200, sender.keys())
        found = await parts.receiver.receive(sender.callback(OBJECT_ID, CLASS_ID))
        assert isinstance(found, Callback)
        assert parts.names.pass_id(found.object_id) == "p1"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"service_account_file": "none.json"}, "none.json: cannot be read: No such file or directory."),
        ({"service_account_file": "", "service_account_env": "NOT_SET"}, "google.service_account_env: the environment"),
        ({"authorities_file": "none.pem"}, "google.authorities_file: found 'none.pem', expected PEM certificates."),
    ],
)
def test_a_secret_that_is_not_there_is_named(sqlite_store, clock, tmp_path, change, complaint):
    (tmp_path / "account.json").write_bytes(service_account().file("https://localhost/token"))
    told = {"service_account_file": str(tmp_path / "account.json"), "issuer_id": ISSUER} | change
    with pytest.raises(ConfigurationError) as found:
        google(GoogleSettings(**told), sqlite_store, clock=clock, image_url=image_url)
    assert str(found.value).startswith(complaint)


async def test_the_key_may_stand_in_the_environment(sqlite_store, spool, clock, tmp_path, monkeypatch):
    double = GoogleDouble(clock=clock, issuer=ISSUER)
    monkeypatch.setenv("WALLET_KEY", double.account_file.decode())
    told = {"service_account_file": "", "service_account_env": "WALLET_KEY"}
    async with running(sqlite_store, spool, clock, tmp_path, **told) as (_, parts, _):
        assert parts.platform.issuer_circuit == f"google:{ISSUER}"

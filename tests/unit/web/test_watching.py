"""Health, metrics, images and Google's callbacks: what operators, orchestrators and Google ask for."""

import asyncio
import hashlib
import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.failures import TemporaryFailure
from flatfile_sync.domain.states import DropState
from flatfile_sync.domain.tally import Figure, Tally
from flatfile_sync.store import counters
from flatfile_sync.wallets.google.callbacks import Callback, Event, Rejection
from flatfile_sync.web import health
from flatfile_sync.web.health import Expiry, Health
from flatfile_sync.web.metrics import LoopLag
from tests.line import receive, run, sandboxes
from tests.pass_types import png
from tests.unit.web.test_passkit import gold
from tests.web_line import LOOPBACK, Site, opened, running, whole

ABROAD = {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def site(store, spool, clock):
    return Site(store=store, spool=spool, clock=clock)


@pytest.fixture
def lite(sqlite_store, spool, clock):
    return Site(store=sqlite_store, spool=spool, clock=clock)


async def test_a_daemon_that_can_work_says_so_and_details_to_operators_only(site, tmp_path):
    """The orchestrator needs the status alone; what is behind it is nobody else's business."""
    async with opened(whole(site, tmp_path)) as client:
        assert (await client.get("/livez")).text == "ok\n"
        ready = await client.get("/readyz")
        assert ready.status_code == 200
        told = ready.json()
        assert told["database"] == {"level": "ok", "found": "writable"}
        assert set(told) == {"database", "disk", "pass type certificate", "Apple's intermediate certificate"}
        assert (await client.get("/readyz", headers=ABROAD)).text == "ok\n"
        assert (await client.get("/livez", headers=ABROAD)).status_code == 200
        assert (await client.head("/readyz")).status_code == 200


async def test_a_database_that_takes_no_writes_is_not_ready_and_is_not_asked_by_everybody(lite, tmp_path):
    """A newer daemon has taken over: this one lives and is not ready; asking often costs one write."""
    lite.store.begin_epoch()
    async with opened(whole(lite, tmp_path)) as client:
        assert (await client.get("/readyz")).status_code == 200
        probes = lite.store.read_now(lambda conn: counters.current(conn, "probe"))
        await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        lite.clock.advance(timedelta(seconds=1))
        assert lite.store.read_now(lambda conn: counters.current(conn, "probe")) == probes
    lite.store.epoch -= 1
    async with opened(whole(lite, tmp_path)) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["database"]) == (
            503,
            {"level": "bad", "found": "cannot be written: StaleEpochError"},
        )
        assert (await client.get("/readyz", headers=ABROAD)).text == "not ready\n"
        assert (await client.get("/livez")).status_code == 200


async def test_a_writer_that_hangs_a_full_disk_and_a_certificate_that_ends_are_told(lite, tmp_path, monkeypatch):
    """No write within the time, no room: not ready. A certificate that ends soon is only a warning."""
    soon = lite.clock() + timedelta(days=10, hours=1)
    looked = Health(
        store=lite.store,
        folder=tmp_path,
        clock=lite.clock,
        operators=LOOPBACK,
        expiries=lambda: [Expiry("door", soon)],
        patience=0.05,
    )
    assert (await looked.checks())["door"] == ("warn", f"ends {soon:%Y-%m-%d}, in 10 days")

    async def never(*_, **__):
        await asyncio.Event().wait()

    monkeypatch.setattr(lite.store, "write", never)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    looked._seen = None
    checks = await looked.checks()
    assert [checks[name].level for name in ("database", "disk", "door")] == ["bad", "bad", "warn"]


async def test_metrics_say_what_happened_and_what_is_there(site, tmp_path):
    """Read by Prometheus' own parser: a drop that ran its way, requests, queues, certificates, lag."""
    site.kit = whole_kit(site)
    site.seed(*((*gold(number)[:2], 1, 1) for number in range(3)))
    drop = receive(site.kit, "id.memberId,additionalData.points\nM0,5\nM1,6\nX,7\n")
    await run(site.kit, drop)
    receive(site.kit, "id.memberId\nM0\n")
    parts = whole(site, tmp_path, queues={"tasks": lambda: 7})
    async with running(parts.lag), opened(parts) as client:
        await client.get("/nothing/M0/pass.example.card")
        answer = await client.get("/metrics")
        abroad = await client.get("/metrics", headers=ABROAD)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert abroad.status_code == 404
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            found[sample.name.removeprefix("flatfile_sync_"), *sorted(sample.labels.values())] = sample.value
    assert found["drops", DropState.SETTLED] == 1
    assert found["drops", DropState.RECEIVED] == 1
    assert found["records_total", "applied", "loyalty"] == 2
    assert found["records_total", "loyalty", "rejected"] == 1
    assert found["drops_reported_total", "loyalty", "partial"] == 1
    settled = {key: value for key, value in found.items() if key[:2] == ("deliveries_settled_total", "apple")}
    assert sum(settled.values()) == 2
    assert found["http_requests_total", "404", "GET", "none"] == 1
    assert found["passes",] == 3
    assert found["queue_depth", "tasks"] == 7
    assert found["certificate_expiry_timestamp_seconds", "pass type certificate"] > utc_now().timestamp()
    assert ("loop_lag_seconds_count",) in found
    assert "M0" not in answer.text
    assert "203.0.113" not in answer.text


def whole_kit(site):
    """Return a kit whose deliveries are sent, with the site's projects."""
    return replace(site.kit, platforms=sandboxes())


async def test_the_loops_lag_is_measured():
    """A loop that is held up shows in the histogram."""
    lag = LoopLag(every=0.01)
    async with running(lag):
        await asyncio.sleep(0.03)
        time.sleep(0.2)  # noqa: ASYNC251 - this is what is to be seen
        await asyncio.sleep(0.03)
    samples = {sample.name: sample for sample in next(iter(lag.histogram.collect())).samples}
    assert samples["flatfile_sync_loop_lag_seconds_sum"].value > 0.1


def test_labels_that_have_no_end_end_as_other():
    """Whatever is counted, there is an upper bound to what is kept."""
    tally = Tally()
    for number in range(2000):
        tally.add(Figure.CALLBACKS, str(number))
    counts = tally.counts(Figure.CALLBACKS)
    assert len(counts) <= 501
    assert sum(counts.values()) == 2000
    assert counts["other",] == 1500
    with pytest.raises(ValueError, match="told apart by"):
        tally.add(Figure.CALLBACKS)


async def test_an_image_stands_under_its_digest_for_good(lite, tmp_path):
    """What Google fetches, and asks for again with what it has."""
    digest = hashlib.sha256(png()).hexdigest()
    async with opened(whole(lite, tmp_path)) as client:
        for path in (f"/images/{digest}", f"/images/{digest}.png"):
            answer = await client.get(path)
            assert (answer.status_code, answer.content) == (200, png())
            assert answer.headers["content-type"] == "image/png"
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["etag"] == f'"{digest}"'
        again = await client.get(f"/images/{digest}", headers={"If-None-Match": f'"{digest}"'})
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.head(f"/images/{digest}")).headers["content-length"] == str(len(png()))
        for name in ("0" * 64, digest.upper(), digest[:-1], f"{digest}.jpg", f"{digest}.part"):
            assert (await client.get(f"/images/{name}")).status_code == 404


class Google:
    """Google's parts, as the daemon has them, whose receiver says what it is told to."""

    platform = None

    def __init__(self, told):
        self.told = told
        self.receiver = self
        self.names = SimpleNamespace(pass_id=lambda object_id: object_id.partition(".")[2] or None)

    async def receive(self, body):
        if isinstance(self.told, Exception):
            raise self.told
        return self.told if body == b"signed" else Rejection.SIGNATURE


def callback(object_id, nonce, event=Event.SAVE):
    return Callback(
        event=event,
        object_id=object_id,
        class_id="1.c",
        nonce=nonce,
        **_rest(Callback, "event object_id class_id nonce"),
    )


def _rest(kind, known):
    """Return something for the fields that are of no interest here."""
    return {name: utc_now() for name in kind.__dataclass_fields__ if name not in known.split()}


async def test_a_callback_counts_once_and_one_that_google_did_not_sign_never(site, tmp_path):
    """Google repeats itself for days unless it is answered 200; a stranger is answered 400."""
    (serial,) = site.seed(gold())
    google = Google(callback(f"1.{serial}", "n1"))
    async with opened(whole(site, tmp_path, google=google)) as client:
        for _ in range(3):
            assert (await client.post("/google/callback", content=b"signed")).status_code == 200
        assert site.row(serial).google == 1
        assert (await client.post("/google/callback", content=b"forged")).status_code == 400
        assert site.row(serial).google == 1
        for told in (callback("1.unknown", "n2"), callback("foreign", "n3")):
            google.told = told
            assert (await client.post("/google/callback", content=b"signed")).status_code == 200
        google.told = callback(f"1.{serial}", "n4", Event.DELETE)
        assert (await client.post("/google/callback", content=b"signed")).status_code == 200
        assert site.row(serial).google == 0
        google.told = TemporaryFailure("keys", retry_after=timedelta(seconds=7))
        busy = await client.post("/google/callback", content=b"signed")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "7")
    assert site.kit.tally.counts(Figure.CALLBACKS) == {("save",): 1, ("ignored",): 4, ("refused",): 1, ("del",): 1}


async def test_without_a_wallet_there_is_none_of_its_routes(lite, tmp_path):
    """No certificate, no account: nothing answers for them."""
    async with opened(whole(lite, tmp_path, apple=False)) as client:
        for method, path in (
            ("POST", "/google/callback"),
            ("POST", "/v1/log"),
            ("GET", "/v1/passes/pass.example.card/x"),
        ):
            assert (await client.request(method, path)).status_code == 404
    assert whole(lite, tmp_path, enabled=False) is None


async def test_a_path_of_the_public_address_may_stay_or_be_cut_off(lite, tmp_path):
    """Proxies do either."""
    async with opened(whole(lite, tmp_path, public_url="https://www.example.com/wallet")) as client:
        for path in ("/livez", "/wallet/livez"):
            assert (await client.get(path)).status_code == 200

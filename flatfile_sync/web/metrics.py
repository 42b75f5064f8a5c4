"""`/metrics`, in Prometheus' text format: counts of this process, numbers of the database, how late the loop is.

prometheus-client writes the text: types, escaping and the name of each sample are its trade, and its parser is an
independent reader for the tests. Its global registry is not used; everything is asked for when somebody scrapes.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.responses import Response

from flatfile_sync.domain.tally import Figure, Tally
from flatfile_sync.store import figures
from flatfile_sync.store.database import Store
from flatfile_sync.web.addresses import Network, within
from flatfile_sync.web.health import Expiry

PREFIX: Final = "flatfile_sync_"
_LAG_EVERY: Final = 0.1
_LAG_STEPS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

Labels = tuple[str, ...]


class LoopLag:
    """A part of the daemon that measures how late the loop wakes it."""

    def __init__(self, *, every: float = _LAG_EVERY) -> None:
        self._every = every
        self.ready = asyncio.Event()
        self.histogram = Histogram(
            f"{PREFIX}loop_lag_seconds", "How late the event loop woke a timer.", buckets=_LAG_STEPS, registry=None
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until `stop` is set."""
        loop = asyncio.get_running_loop()
        self.ready.set()
        waiting = asyncio.ensure_future(stop.wait())
        try:
            while not waiting.done():
                due = loop.time() + self._every
                await asyncio.wait([waiting], timeout=self._every)
                if not waiting.done():
                    self.histogram.observe(max(loop.time() - due, 0.0))
        finally:
            waiting.cancel()


@dataclass(slots=True, kw_only=True)
class Metrics:
    """Answers `/metrics` to operators; to anybody else there is nothing."""

    store: Store
    tally: Tally
    lag: LoopLag
    operators: Sequence[Network]
    queues: Mapping[str, Callable[[], int]] = field(default_factory=dict)
    expiries: Callable[[], Sequence[Expiry]] = tuple
    started: float = field(default_factory=time.time)

    def routes(self) -> APIRouter:
        """Return the route."""
        found = APIRouter()
        found.add_api_route("/metrics", self.scrape, methods=["GET", "HEAD"])
        return found

    async def scrape(self, request: Request) -> Response:
        """Return all numbers."""
        if not within(request.state.address, self.operators):
            raise HTTPException(404)
        now = await self.store.read(figures.look)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self.lag.histogram)
        registry.register(_Once([*self._counted(), *_stored(now), *self._present()]))
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    def _counted(self) -> Iterator[Metric]:
        for figure in Figure:
            family = CounterMetricFamily(PREFIX + figure.label, figure.meaning, labels=figure.labels)
            for labels, count in sorted(self.tally.counts(figure).items()):
                family.add_metric(labels, count)
            yield family

    def _present(self) -> Iterator[Metric]:
        yield _gauge("queue_depth", "Work that waits in this process.", ("queue",), self._depths())
        ends: dict[Labels, float] = {(expiry.name,): expiry.not_after.timestamp() for expiry in self.expiries()}
        yield _gauge("certificate_expiry_timestamp_seconds", "When a certificate ends.", ("certificate",), ends)
        yield _gauge("start_time_seconds", "When this process began to count.", (), {(): self.started})

    def _depths(self) -> dict[Labels, float]:
        return {(name,): depth() for name, depth in self.queues.items()}


class _Once(Collector):
    """Numbers that were looked up already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def _stored(now: figures.Figures) -> Iterator[Metric]:
    yield _gauge("drops", "Drops by how far they have come.", ("state",), now.drops)
    yield _gauge("drops_stuck", "Drops that wait for an operator.", (), {(): now.stuck})
    yield _gauge("deliveries_open", "Deliveries without an outcome.", ("platform", "state"), now.open_deliveries)
    yield _gauge("uploads_open", "Uploads that are being written.", (), {(): now.open_uploads})
    yield _gauge("passes", "Passes.", (), {(): now.passes})
    yield _gauge("registrations", "Devices registered for Apple passes.", (), {(): now.registrations})
    opened: dict[Labels, float] = {(name,): 1 for name in now.circuits}
    yield _gauge("circuit_open", "Credentials and topics that a platform refuses.", ("circuit",), opened)


def _gauge(name: str, meaning: str, labels: Labels, values: Mapping[Labels, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, meaning, labels=labels)
    for told, value in sorted(values.items()):
        family.add_metric(told, value)
    return family

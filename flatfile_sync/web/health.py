"""Whether the daemon lives, and whether it can do its work."""

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from flatfile_sync.domain.clock import Clock
from flatfile_sync.store import counters
from flatfile_sync.store.database import Priority, Store
from flatfile_sync.web.addresses import Network, within

LEAST_FREE: Final = 512 << 20
"""Bytes of disk below which nothing more should come in."""
_PATIENCE: Final = 5.0
_KEPT: Final = 2.0
_SOON: Final = timedelta(days=30)


class Expiry(NamedTuple):
    """A certificate and when it ends."""

    name: str
    not_after: datetime


class Check(NamedTuple):
    """One thing that was looked at: `ok`, `warn` (work goes on) or `bad`."""

    level: str
    found: str


@dataclass(slots=True, kw_only=True)
class Health:
    """Answers `/livez` and `/readyz`; `folder` is where uploads are stored, `expiries` returns the certificates in use.

    `/livez` says that the loop turns. `/readyz` writes to the database through the writer, so it also says that the
    writer lives and that no newer daemon has taken over; it does so at most every two seconds, whoever asks.
    """

    store: Store
    folder: Path
    clock: Clock
    operators: Sequence[Network]
    expiries: Callable[[], Sequence[Expiry]] = tuple
    monotonic: Callable[[], float] = time.monotonic
    patience: float = _PATIENCE
    _seen: tuple[float, dict[str, Check]] | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def routes(self) -> APIRouter:
        """Return the routes."""
        found = APIRouter()
        found.add_api_route("/livez", self.live, methods=["GET", "HEAD"])
        found.add_api_route("/readyz", self.ready, methods=["GET", "HEAD"])
        return found

    async def live(self) -> Response:
        """Say that the loop turns."""
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """Say whether work can be done; what was found is for operators only."""
        checks = await self.checks()
        bad = any(check.level == "bad" for check in checks.values())
        status = 503 if bad else 200
        if not within(request.state.address, self.operators):
            return PlainTextResponse("not ready\n" if bad else "ok\n", status)
        return JSONResponse({name: check._asdict() for name, check in checks.items()}, status)

    async def checks(self) -> dict[str, Check]:
        """Look at everything, or return what was found a moment ago."""
        async with self._looking:
            if self._seen is None or self.monotonic() - self._seen[0] > _KEPT:
                found = {"database": await self._database(), "disk": await asyncio.to_thread(self._disk)}
                found |= {expiry.name: self._expiry(expiry) for expiry in self.expiries()}
                self._seen = (self.monotonic(), found)
            return self._seen[1]

    async def _database(self) -> Check:
        try:
            async with asyncio.timeout(self.patience):
                await self.store.write(
                    lambda conn: counters.raise_to(conn, "probe", self._now()), priority=Priority.DOOR
                )
        except TimeoutError:
            return Check("bad", f"no write went through within {self.patience:.0f} s")
        except Exception as error:  # noqa: BLE001 - whatever it is, the database cannot be written
            return Check("bad", f"cannot be written: {type(error).__name__}")
        return Check("ok", "writable")

    def _now(self) -> int:
        return int(self.clock().timestamp() * 1000)

    def _disk(self) -> Check:
        free = shutil.disk_usage(self.folder).free
        return Check("ok" if free >= LEAST_FREE else "bad", f"{free >> 20} MiB free")

    def _expiry(self, expiry: Expiry) -> Check:
        left = expiry.not_after - self.clock()
        level = "ok" if left > _SOON else "warn"
        return Check(level, f"ends {expiry.not_after:%Y-%m-%d}, in {max(left.days, 0)} days")

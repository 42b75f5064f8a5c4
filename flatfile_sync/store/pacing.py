"""Pace, notice ledger and circuits in the store, so that every worker of every process keeps to them.

Pace is GCRA in one row (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm): the row holds when the next call
is free; a call moves it on by one interval and waits until its own moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock, utc_now
from flatfile_sync.store import audit
from flatfile_sync.store.database import Priority, Store
from flatfile_sync.store.dialects import is_sqlite
from flatfile_sync.store.wallet_tables import circuits, notices, paces

NOTICES: Final = 3
"""Notifying messages per pass and window (Google's documented limit)."""
WINDOW: Final = timedelta(hours=24)

_log = structlog.get_logger()


class StorePace:
    """`domain.pacing.Pace`: `rate` calls a second under a name, of which `burst` may go at once after a rest."""

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        rate: float,
        burst: int = 1,
        clock: Clock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._name, self._clock, self._sleep = store, name, clock, sleep
        self._interval = timedelta(seconds=1 / rate)
        self._burst = burst

    async def take(self, count: int = 1) -> None:
        """Return once `count` calls may go; whoever asked first goes first."""
        now = self._clock()
        free_at = await self._store.write(lambda conn: self._reserve(conn, count, now))
        # All of the calls go together, so the last of them must be free.
        wait = (free_at - self._burst * self._interval - now).total_seconds()
        if wait > 0:
            await self._sleep(wait)

    def _reserve(self, conn: Connection, count: int, now: datetime) -> datetime:
        insert = (sqlite if is_sqlite(conn) else postgresql).insert(paces)
        conn.execute(insert.values(name=self._name, free_at=now).on_conflict_do_nothing())
        chosen = paces.c.name == self._name
        free_at = conn.execute(sa.select(paces.c.free_at).where(chosen).with_for_update()).scalar_one()
        moved: datetime = max(free_at, now) + count * self._interval
        conn.execute(sa.update(paces).where(chosen).values(free_at=moved))
        return moved


class StoreLedger:
    """`domain.pacing.NoticeLedger` of one platform."""

    def __init__(self, store: Store, platform: str, *, limit: int = NOTICES, clock: Clock = utc_now) -> None:
        self._store, self._platform, self._limit, self._clock = store, platform, limit, clock

    async def claim(self, pass_no: int, key: str) -> bool:
        """Return whether one more may go now, and count it; `key` names the message, so that a repeat counts once."""
        return await self._store.write(lambda conn: self._claim(conn, pass_no, key, self._clock()))

    def _claim(self, conn: Connection, pass_no: int, key: str, now: datetime) -> bool:
        chosen = (notices.c.pass_no == pass_no) & (notices.c.platform == self._platform)
        conn.execute(sa.delete(notices).where(chosen, notices.c.at <= now - WINDOW))
        known = list(conn.execute(sa.select(notices.c.key).where(chosen)).scalars())
        if key in known:
            return True
        if len(known) >= self._limit:
            return False
        conn.execute(sa.insert(notices).values(pass_no=pass_no, platform=self._platform, key=key, at=now))
        return True


class StoreCircuit:
    """`domain.pacing.Circuit`; opening one is an event for the operator."""

    def __init__(self, store: Store, *, clock: Clock = utc_now) -> None:
        self._store, self._clock = store, clock

    async def is_open(self, name: str) -> bool:
        """Return whether nothing may go out under the name."""
        query = sa.select(circuits.c.name).where(circuits.c.name == name)
        return await self._store.read(lambda conn: conn.execute(query).first() is not None)

    async def open(self, name: str, reason: str) -> None:
        """Stop everything under the name; an event tells the operator."""
        _log.error("circuit_opened", name=name, reason=reason)

        def work(conn: Connection) -> None:
            now = self._clock()
            insert = (sqlite if is_sqlite(conn) else postgresql).insert(circuits)
            values = {"name": name, "reason": reason, "opened_at": now}
            opening = insert.values(**values).on_conflict_do_nothing().returning(circuits.c.name)
            if conn.execute(opening).first() is not None:
                details = {"name": name, "reason": reason}
                audit.record(conn, at=now, actor="platform", event="circuit_opened", details=details)

        await self._store.write(work, priority=Priority.STEP)

    async def close(self, name: str) -> None:
        """Let it go on."""
        await self._store.write(lambda conn: conn.execute(sa.delete(circuits).where(circuits.c.name == name)))

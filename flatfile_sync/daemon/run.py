"""One daemon from start to stop.

Start: lock the folder, raise the epoch, give up what an earlier daemon left half-way, then open the door.
Stop: the door lets nobody in and ends its sessions; running work is given a while, then cut off: every step can be
taken again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from flatfile_sync.config.settings import Settings
from flatfile_sync.daemon.lock import held
from flatfile_sync.daemon.wiring import Parts, wire
from flatfile_sync.pipeline import receive
from flatfile_sync.pipeline.pausing import collect_seldom
from flatfile_sync.store import deliveries
from flatfile_sync.store.database import Store
from flatfile_sync.store.migrate import prepare

_DRAIN_SECONDS: Final = 10.0

_log = structlog.get_logger()


async def run(settings: Settings, *, stop: asyncio.Event, opened: Callable[[Parts], None] = lambda _: None) -> None:
    """Run a daemon until `stop` is set; `opened` is called once clients can come in.

    Raises `Refused` if another daemon holds the data folder, `ConfigurationError` for what is wrong with the files.
    """
    settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with held(settings.data_folder):
        store = Store(settings.database)
        try:
            prepare(store)
            epoch = store.begin_epoch()
            parts = wire(settings, store)
            collect_seldom()
            _log.info("daemon_started", epoch=epoch)
            await _run(parts, stop, opened)
        finally:
            await asyncio.to_thread(store.close)
    _log.info("daemon_stopped")


async def _run(parts: Parts, stop: asyncio.Event, opened: Callable[[Parts], None]) -> None:
    kit = parts.kit
    left = await receive.abandon_left(kit=kit)
    sent_again = await kit.store.write(lambda conn: deliveries.recover(conn, now=kit.clock()))
    if left or sent_again:
        _log.info("recovered", uploads_abandoned=left, deliveries_unknown=sent_again)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(parts.processes.warm())
            group.create_task(_until_stopped(parts.engine.run, stop))
            group.create_task(_until_stopped(parts.calendar.run, stop))
            group.create_task(_until_stopped(parts.door.run, stop))
            if parts.web is not None:
                for part in (parts.web.lag, parts.web.fetches, parts.web.door):
                    group.create_task(_until_stopped(part.run, stop))
            group.create_task(_announce(parts, stop, opened))
    finally:
        await parts.close()


async def _announce(parts: Parts, stop: asyncio.Event, opened: Callable[[Parts], None]) -> None:
    halt = asyncio.ensure_future(stop.wait())
    try:
        web = () if parts.web is None else (parts.web.door.ready,)
        for event in (parts.engine.ready, parts.door.ready, *web):
            ready = asyncio.ensure_future(event.wait())
            await asyncio.wait([ready, halt], return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
        if not stop.is_set():
            opened(parts)
    finally:
        halt.cancel()


async def _until_stopped(part: Callable[[asyncio.Event], Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
    """Run a part; if it ends by itself (a newer daemon took over), everything stops. After a while it is cut off."""
    running = asyncio.create_task(part(stop))
    halt = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, halt}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait([running], timeout=_DRAIN_SECONDS)
        if running.done():
            running.result()
    finally:
        halt.cancel()
        stop.set()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

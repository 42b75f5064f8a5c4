"""A daemon under the signals of a terminal or a service manager, and the lines that say where it listens."""

import asyncio
import signal
from typing import Final

from flatfile_sync.config.settings import Settings
from flatfile_sync.daemon.run import run
from flatfile_sync.daemon.wiring import Parts

LISTENING: Final = "listening on "
"""What the line on standard output begins with that says where clients come in: host, colon, port."""

WEB: Final = "the web door is at "
"""The same for the HTTP door: an address; it stands before the other line."""


async def serve(settings: Settings) -> None:
    """Run the daemon of these settings until a signal."""
    stop = asyncio.Event()
    daemon = asyncio.create_task(run(settings, stop=stop, opened=lambda parts: _announce(settings, parts)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, number, stop, daemon)
    await daemon


def _announce(settings: Settings, parts: Parts) -> None:
    if parts.web is not None:
        print(f"{WEB}{parts.web.door.address}", flush=True)
    print(f"{LISTENING}{settings.sftp.host}:{parts.door.port}", flush=True)


def _stop(number: signal.Signals, stop: asyncio.Event, daemon: asyncio.Task[None]) -> None:
    if stop.is_set():
        # Nothing is lost: every step can be taken again, and no client hears OK for what is not durable.
        asyncio.get_running_loop().remove_signal_handler(number)
        daemon.cancel()
    stop.set()

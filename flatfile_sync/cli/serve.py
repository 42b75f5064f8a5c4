"""Run the daemon; on the first start `init` comes before it."""

import asyncio
import signal
from pathlib import Path

import typer

from flatfile_sync.cli.init import print_made
from flatfile_sync.config.settings import Settings, load_settings
from flatfile_sync.daemon.log import set_up
from flatfile_sync.daemon.run import run
from flatfile_sync.daemon.wiring import Parts

LISTENING = "listening on "
"""What the line on standard output begins with that says where clients come in: host, colon, port."""

WEB = "the web door is at "
"""The same for the HTTP door: an address; it stands before the other line."""


def command(ctx: typer.Context) -> None:
    """Run the daemon until it is told to stop (Ctrl-C, SIGTERM); a second signal ends it at once."""
    config: Path = ctx.obj
    settings = load_settings(config) if config.exists() else print_made(config)
    set_up(settings.log)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
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

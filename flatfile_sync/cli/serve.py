"""Run the daemon; on the first start `init` comes before it."""

from pathlib import Path

import typer


def command(ctx: typer.Context) -> None:
    """Run the daemon until it is told to stop (Ctrl-C, SIGTERM); a second signal ends it at once."""
    import asyncio

    from flatfile_sync.cli.init import print_made
    from flatfile_sync.cli.serving import serve
    from flatfile_sync.config.settings import load_settings
    from flatfile_sync.daemon.log import set_up

    config: Path = ctx.obj
    settings = load_settings(config) if config.exists() else print_made(config)
    set_up(settings.log)
    asyncio.run(serve(settings))

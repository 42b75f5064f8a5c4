"""Make what a first daemon needs: configuration, host keys, example project, an account."""

from pathlib import Path
from typing import Annotated

import typer

from flatfile_sync.config.settings import Settings


def command(
    ctx: typer.Context,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the SFTP door, written down.")] = None,
) -> None:
    """Make what is missing beside the configuration file; nothing that is there is touched."""
    print_made(ctx.obj, port=port)


def print_made(config: Path, *, port: int | None = None) -> Settings:
    """Make what is missing, say what was made and how to connect, and return the settings."""
    from flatfile_sync.daemon.setup import ACCOUNT, init

    made = init(config, port=port)
    for file in made.files:
        print(f"made {shown(file)}")
    if not made.files:
        print(f"{shown(config)}: everything is there already.")
    if made.private_key is not None:
        sftp = made.settings.sftp
        print(f"\nOnce `flatfile-sync serve` runs, account {ACCOUNT!r} comes in with its key:")
        print(f"  sftp -P {sftp.port} -i {shown(made.private_key)} {ACCOUNT}@{sftp.host}\n")
    return made.settings


def shown(path: Path) -> str:
    """Return a path as a person would type it: from the current folder where that is shorter."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)

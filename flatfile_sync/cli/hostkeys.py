"""Change the host keys of the SFTP door without a break: announce, switch, retire."""

from pathlib import Path

import typer

from flatfile_sync.cli.opening import AsJson, settings
from flatfile_sync.cli.output import print_json, print_table

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.command("list")
def list_keys(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List fingerprints: of the keys that sign, of those that follow (.next) and of those that were (.old)."""
    from flatfile_sync.sftp import host_keys

    found = host_keys.fingerprints(_folder(ctx))
    if as_json:
        print_json(found)
        return
    print_table(("file", "fingerprint"), found.items())


@app.command("next")
def make_next(ctx: typer.Context) -> None:
    """Make keys that are to follow; a running daemon announces them to clients that learn keys."""
    from flatfile_sync.sftp import host_keys

    made = host_keys.make_next(_folder(ctx))
    print(
        f"{len(made)} made. Tell partners the fingerprints (`hostkeys list`), wait some days, then `hostkeys switch`."
    )


@app.command("switch")
def switch(ctx: typer.Context) -> None:
    """Have the next keys sign; those before are still announced, until `hostkeys retire`."""
    from flatfile_sync.sftp import host_keys

    host_keys.switch(_folder(ctx))
    print("Switched: new connections see the new keys within seconds, open ones go on.")


@app.command("retire")
def retire(ctx: typer.Context) -> None:
    """Remove the keys that were replaced; clients that learn keys forget them."""
    from flatfile_sync.sftp import host_keys

    print(f"{len(host_keys.retire(_folder(ctx)))} removed.")


def _folder(ctx: typer.Context) -> Path:
    from flatfile_sync.daemon.wiring import HOST_KEYS

    return settings(ctx).data_folder / HOST_KEYS

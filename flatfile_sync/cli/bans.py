"""See who is banned from the SFTP door, and let them come again."""

from typing import Annotated

import typer

from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.clock import utc_now

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.command("list")
def list_bans(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List bans that run: addresses, and names whose passwords are locked."""
    from flatfile_sync.store import bans

    with opened(ctx) as place:
        found = place.store.read_now(lambda conn: bans.running(conn, now=utc_now()))
    if as_json:
        print_json([{"address": address, "banned_until": until} for address, until in found.items()])
        return
    print_table(("address", "until"), found.items(), nothing="Nobody is banned.")


@app.command("lift")
def lift(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="As `bans list` writes it.")],
) -> None:
    """Forget what is held against an address; a running daemon knows it within seconds."""
    from flatfile_sync.pipeline import admit

    with opened(ctx) as place:
        place.store.write_now(lambda conn: admit.lift_ban(conn, address, clock=utc_now))
    print(f"Nothing is held against {address} any more.")

"""Make addresses under which holders add passes to their wallets, and call them back."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from flatfile_sync.cli.opening import AsJson, Place, opened
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.failures import Refused

if TYPE_CHECKING:
    from flatfile_sync.pipeline.linking import Linker
    from flatfile_sync.store.links import LinkRow

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

PassId = Annotated[str, typer.Argument(metavar="ID", help="The pass's own id.")]


@app.command("create")
def create(
    ctx: typer.Context,
    pass_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Passes that are added together.")],
    *,
    days: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=3650, help="Days it lives; web.link_days if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a link for one pass, or for up to ten of one project."""
    from flatfile_sync.pipeline.linking import link

    life = None if days is None else timedelta(days=days)
    with opened(ctx) as place:
        linker = _linker(place)
        url, ends = place.store.write_now(lambda conn: link(conn, pass_ids, linker=linker, now=utc_now(), life=life))
    if as_json:
        print_json({"url": url, "expires_at": ends})
    else:
        print(url)


@app.command("list")
def list_links(ctx: typer.Context, pass_id: PassId, as_json: AsJson = False) -> None:
    """List the links of a pass, oldest first."""
    from flatfile_sync.store import links

    with opened(ctx) as place:
        linker, number = _linker(place), _number(place, pass_id)
        found = place.store.read_now(lambda conn: links.of_pass(conn, number))
    now = utc_now()
    if as_json:
        print_json([{**row._asdict(), "url": linker.url(row.link_id), "state": _state(row, now)} for row in found])
        return
    rows = ((linker.url(row.link_id), _state(row, now), f"{row.expires_at:%Y-%m-%d}") for row in found)
    print_table(("link", "state", "ends"), rows, nothing="No links.")


@app.command("revoke")
def revoke(
    ctx: typer.Context,
    link: Annotated[str | None, typer.Argument(metavar="LINK", help="The link, or what stands behind /p/.")] = None,
    *,
    pass_id: Annotated[str | None, typer.Option("--pass", metavar="ID", help="Every link of this pass.")] = None,
) -> None:
    """Call links back: from now on they lead nowhere. Passes that were added stay where they are."""
    from flatfile_sync.pipeline.linking import revoke as call_back

    if (link is None) == (pass_id is None):
        raise typer.BadParameter("say either a LINK or --pass ID.")
    with opened(ctx) as place:
        linker = _linker(place)
        count = place.store.write_now(
            lambda conn: call_back(conn, link=link, pass_id=pass_id, linker=linker, now=utc_now())
        )
    print(f"{count} {'link' if count == 1 else 'links'} called back.")


def _linker(place: Place) -> "Linker":
    from flatfile_sync.daemon.link_key import linker

    return linker(place.settings)


def _number(place: Place, pass_id: str) -> int:
    from flatfile_sync.store import passes

    row = place.store.read_now(lambda conn: passes.by_id(conn, pass_id))
    if row is None:
        raise Refused(f"There is no pass {pass_id!r}; `passes find KIND=VALUE` looks by an identifier.")
    return row.no


def _state(row: "LinkRow", now: datetime) -> str:
    if row.revoked_at is not None:
        return "called back"
    return "ended" if row.expires_at <= now else "open"

"""See what the SFTP door took, and what became of it."""

from typing import Annotated

import typer

from flatfile_sync.cli.opening import AsJson, Limit, opened
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.states import UploadState

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

_KEYS = ("id", "account", "zone", "feed", "name", "state", "verdict", "reason", "size", "sha256")
_MOMENTS = ("opened_at", "closed_at", "modified_at")


@app.callback()
def group() -> None:
    """Commands on uploads."""


@app.command("list")
def list_uploads(
    ctx: typer.Context,
    state: Annotated[UploadState | None, typer.Option(case_sensitive=False, help="Only those in a state.")] = None,
    feed: Annotated[str | None, typer.Option(metavar="NAME", help="Only those put in a feed's folder.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List uploads, the newest first."""
    from flatfile_sync.store import uploads

    with opened(ctx) as place:
        found = place.store.read_now(lambda conn: uploads.recent(conn, limit=limit, state=state, feed=feed))
    if as_json:
        names = (*_KEYS, *_MOMENTS, "renamed", "drop_id")
        print_json([{name: getattr(upload, name) for name in names} for upload in found])
        return
    rows = (
        (
            upload.opened_at,
            upload.account,
            f"{upload.zone}/{upload.feed or ''}",
            upload.verdict or upload.state,
            upload.size,
            upload.drop_id and upload.drop_id[:8],
            upload.name,
        )
        for upload in found
    )
    print_table(("opened", "account", "folder", "became", "bytes", "drop", "file"), rows, nothing="No uploads.")

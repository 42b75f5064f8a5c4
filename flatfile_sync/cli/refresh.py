"""`passes refresh`: after a template changed, every pass of its type is brought up to date."""

from typing import Annotated

import typer

from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json
from flatfile_sync.domain.clock import utc_now


def command(
    ctx: typer.Context,
    pass_type: Annotated[str, typer.Option("--type", metavar="NAME", help="The pass type whose template changed.")],
    *,
    project_name: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="The project; or the only one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let every pass of a type look changed, so that devices and Google get it as its template is now.

    It goes out behind everything that somebody waits for, at each platform's pace, once a daemon runs.
    """
    from flatfile_sync.pipeline.refreshing import refresh

    with opened(ctx) as place:
        project = place.project(project_name)
        counts = refresh(project, pass_type, store=place.store, clock=utc_now)
    if as_json:
        print_json({"project": project.name, "pass_type": pass_type, "version": project.version, **counts})
        return
    owed = ", ".join(f"{counts[platform]:,} on {platform.capitalize()}" for platform in ("apple", "google"))
    print(f"{counts['passes']:,} passes of type {pass_type} are refreshed: {owed}.")

"""Show the main job on real input, from the upload to the mended rejects and a duplicate."""

from typing import Annotated

import typer


def command(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the daemon running until Ctrl-C, to go on by hand.")
    ] = False,
) -> None:
    """Run the demonstration in a temporary folder that goes away at the end."""
    from flatfile_sync.cli.touring import tour

    tour(keep=keep)

"""Keep images that rows choose by their digest."""

from pathlib import Path
from typing import Annotated

import typer

from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def group() -> None:
    """Commands on images."""


@app.command("add")
def add(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="PNG images.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Keep PNG images and print the sha256 of each, which a row may name where a template lets it.

    A template says `image:{{ additionalData.picture }}` for Google, and `strip = "{{ additionalData.picture }}"` in
    pass_type.toml for Apple. Images of a pass type's folder need no command: they are found by their names.
    """
    from flatfile_sync.daemon.wiring import IMAGES
    from flatfile_sync.spool.images import Images
    from flatfile_sync.wallets.templates.images import png_problem

    kept: dict[str, str] = {}
    problems: list[str] = []
    with opened(ctx) as place:
        images = Images(place.settings.data_folder / IMAGES)
        for file in files:
            data = file.read_bytes()
            problem = png_problem(data)
            if problem is None:
                kept[str(file)] = images.put(data)
            else:
                problems.append(f"{file} {problem}")
    if as_json:
        print_json({"kept": kept, "problems": problems})
    else:
        for file_name, digest in kept.items():
            print(f"{digest}  {file_name}")
        for problem in problems:
            typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(ExitCode.BAD)

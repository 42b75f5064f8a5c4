"""Check a project's files, and what a change would break."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.cli.output import print_json
from flatfile_sync.domain.failures import ConfigurationError

if TYPE_CHECKING:
    from flatfile_sync.domain.project import Project

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def group() -> None:
    """Commands on a project's files."""


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.", exists=True, file_okay=False)],
    against: Annotated[
        Path | None,
        typer.Option(metavar="OLD", help="An older state of the folder to compare with.", exists=True, file_okay=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say everything that is wrong with a project's files; with --against, what would break for its partners."""
    from flatfile_sync.config.changes import incompatible_changes

    warnings: list[str] = []
    project, problems = _load(folder, warnings)
    changes: list[str] = []
    if against is not None:
        old, old_problems = _load(against, [])
        problems += old_problems
        if old is not None and project is not None:
            changes = incompatible_changes(old, project)
    if as_json:
        version = project.version if project else None
        told = {"problems": problems, "warnings": warnings, "incompatible_changes": changes}
        print_json({"folder": str(folder), "version": version} | told)
    else:
        _tell(folder, project, problems, changes, warnings)
    if problems or changes:
        raise typer.Exit(ExitCode.BAD)


def _load(folder: Path, warnings: list[str]) -> "tuple[Project | None, list[str]]":
    """Return a project or its problems; add what is doubtful. The folder's own name counts, also given as `.`."""
    from flatfile_sync.daemon.projects import read_project

    try:
        return read_project(folder.resolve(), say=warnings.append), []
    except ConfigurationError as error:
        return None, str(error).splitlines()


def _tell(
    folder: Path, project: "Project | None", problems: list[str], changes: list[str], warnings: list[str]
) -> None:
    for line in problems:
        print(line)
    for line in warnings:
        print(f"Warning: {line}")
    for line in changes:
        print(f"Incompatible: {line}")
    if project is not None and not problems:
        feeds = ", ".join(feed.name for feed in project.feeds)
        print(f"{folder}: project {project.name!r} is sound; feeds {feeds}; version {project.version[:12]}.")

"""Check a file as a dry run would, offline: no daemon, no database, nothing sent."""

import asyncio
import csv
import io
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.cli.output import print_json
from flatfile_sync.cli.passes import print_imported
from flatfile_sync.cli.results import print_problems, print_summary

if TYPE_CHECKING:
    from flatfile_sync.cli.rehearsal import Rehearsal
    from flatfile_sync.domain.project import Feed, Project

_MISSED = ("rejected", "skipped", "unprocessed")


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The file to check.")],
    *,
    project: Annotated[
        Path, typer.Option(metavar="DIR", exists=True, file_okay=False, help="The folder of the project.")
    ],
    feed: Annotated[
        str | None, typer.Option(metavar="NAME", help="The feed, if not the one that takes the name.")
    ] = None,
    passes: Annotated[
        Path | None,
        typer.Option(metavar="CSV", exists=True, dir_okay=False, help="The passes that exist, as for `passes import`."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the whole result set there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Walk a file along the line in a temporary folder and say what would come of it.

    Without --passes the passes that its records update, void or notify are assumed to exist, without any values:
    every value counts as a change, and no record is rejected because its pass is not found.
    """
    from flatfile_sync.cli.rehearsal import rehearse
    from flatfile_sync.daemon.projects import read_project

    folder = project.resolve()
    definition = read_project(folder)
    chosen = _feed(definition, feed, file)
    with tempfile.TemporaryDirectory(prefix="flatfile-sync-") as work, _busy(f"checking {file.name}"):
        found = asyncio.run(rehearse(file, definition, chosen, folder=folder, passes=passes, work=Path(work)))
    if not found.artefacts and passes is not None and found.imported is not None:
        print_imported(passes, found.imported)
        raise typer.Exit(ExitCode.BAD)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for kind, data in found.artefacts.items():
            (out / f"{found.stem}.{kind}").write_bytes(data)
    summary, problems = found.summary, _problems(found)
    if as_json:
        print_json({"summary": summary, "assumed_passes": found.assumed, "problems": problems})
    else:
        _tell(found, chosen, problems, out)
    if summary["verdict"] == "rejected" or any(summary["counts"][name] for name in _MISSED):
        raise typer.Exit(ExitCode.BAD)


def _busy(what: str) -> AbstractContextManager[object]:
    """Return what shows on a terminal that something goes on, and nothing elsewhere."""
    from rich.console import Console

    errors = Console(stderr=True)
    return errors.status(what) if errors.is_terminal else nullcontext()


def _feed(project: "Project", name: str | None, file: Path) -> "Feed":
    feed = project.feed_for(file.name) if name is None else project.feed(name)
    if feed is None:
        known = "; ".join(f"{known.name} ({', '.join(known.globs)})" for known in project.feeds)
        why = (
            f"no feed takes a file named {file.name!r}; say which with --feed" if name is None else f"no feed {name!r}"
        )
        raise typer.BadParameter(f"{why}. Project {project.name!r} has {known}.")
    return feed


def _tell(found: "Rehearsal", feed: "Feed", problems: list[dict[str, str]], out: Path | None) -> None:
    if found.imported is not None:
        print(f"Checked as feed {feed.name!r} against {found.imported.created:,} imported passes.\n")
    else:
        print(f"Checked as feed {feed.name!r}; {found.assumed:,} passes that the file names were assumed to exist.\n")
    print_summary(found.summary)
    if problems:
        print("\nThe first problems:")
        print_problems(problems)
    if out is not None:
        print(f"\nThe result set is in {out}.")
    elif problems:
        print("\nWith --out DIR the whole result set is written there.")


def _problems(found: "Rehearsal") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(found.artefacts["issues.csv"].decode(), newline="")))

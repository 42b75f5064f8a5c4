"""Bring in passes that exist elsewhere, and look at those that are here."""

import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flatfile_sync.cli import erase, refresh, render
from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json, print_pairs, print_table
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.issues import MASK

if TYPE_CHECKING:
    from rich.progress import Progress

    from flatfile_sync.domain.project import Project
    from flatfile_sync.pipeline.importing import Imported, Problem
    from flatfile_sync.store.passes import PassRow

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

ProjectName = Annotated[str | None, typer.Option("--project", metavar="NAME", help="The project; or the only one.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show personal values instead of masking them.")]
_SHOWN = 20

app.command("render")(render.command)
app.command("erase")(erase.erase)
app.command("readmit")(erase.readmit)
app.command("refresh")(refresh.command)


@app.command("import")
def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A CSV file of passes.")],
    *,
    project_name: ProjectName = None,
    as_json: AsJson = False,
) -> None:
    """Store the passes of a CSV file; those that are there already stay as they are.

    Columns: id (given if left out), passType, id.<kind>, additionalData.*, metadata.*, status, expires_at, and apple
    and google, the numbers of devices that hold the pass. Rows are stored in chunks, each whole or not at all; the
    first chunk with a problem ends the import. Mend the file and import it again: what is stored is passed over.
    """
    from flatfile_sync.pipeline.importing import import_passes

    with opened(ctx) as place, tempfile.TemporaryDirectory(prefix="flatfile-sync-") as work, _bar() as bar:
        project = place.project(project_name)
        task = bar.add_task(file.name, total=None)
        found = import_passes(
            file,
            project,
            store=place.store,
            work=Path(work),
            clock=utc_now,
            chunk_records=place.settings.work.chunk_records,
            progress=lambda done, records: bar.update(task, completed=done, total=records),
        )
    if as_json:
        told = {name: getattr(found, name) for name in ("records", "done", "created", "present", "warned")}
        print_json({"file": str(file), "project": project.name, **told, "problems": _as_objects(found.problems)})
    else:
        print_imported(file, found)
    if found.problems:
        raise typer.Exit(ExitCode.BAD)


@app.command("find")
def find(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KIND=VALUE", help="An identifier, like memberId=M000042.")],
    *,
    project_name: ProjectName = None,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """List the passes that carry an identifier."""
    from flatfile_sync.store import identifiers, passes

    kind, equals, value = key.partition("=")
    kind = kind.removeprefix("id.")
    with opened(ctx) as place:
        project = place.project(project_name)
        if not equals or project.model.identifier(kind) is None:
            known = ", ".join(f"{known.name}=..." for known in project.model.identifiers)
            raise typer.BadParameter(f"{key!r} is no identifier of project {project.name!r}; write one of {known}.")
        with place.store.snapshot() as conn:
            found = passes.find(conn, project.name, kind, value)
            named = identifiers.of_passes(conn, [row.no for row in found])
    if as_json:
        print_json([_as_object(row, project, named, reveal=reveal) for row in found])
        return
    rows = (
        (
            row.id,
            row.pass_type,
            row.status,
            row.revision,
            _moment(row.modified_at),
            " ".join(f"{name}={value}" for name, value in _identifiers(row, project, named, reveal=reveal).items()),
        )
        for row in found
    )
    print_table(("id", "type", "status", "revision", "modified", "identifiers"), rows, nothing="No pass has it.")


@app.command("show")
def show(
    ctx: typer.Context,
    pass_id: Annotated[str, typer.Argument(metavar="ID", help="The pass's own id.")],
    *,
    reveal: Reveal = False,
    as_json: AsJson = False,
) -> None:
    """Show one pass: its identifiers, its values, where it is held."""
    from flatfile_sync.store import identifiers, passes

    with opened(ctx) as place:
        with place.store.snapshot() as conn:
            row = passes.by_id(conn, pass_id)
            if row is None:
                raise Refused(f"There is no pass {pass_id!r}; `passes find KIND=VALUE` looks by an identifier.")
            named = identifiers.of_passes(conn, [row.no])
        project = place.project(row.project)
    found = _as_object(row, project, named, reveal=reveal)
    if as_json:
        print_json(found)
        return
    head = ("id", "project", "pass_type", "status", "expires_at", "revision", "modified_at", "apple", "google")
    print_pairs({name.replace("_", " "): found[name] for name in head} | {"newest drops": found["writers"] or None})
    print()
    values = {f"id.{kind}": value for kind, value in found["identifiers"].items()} | found["document"]
    print_table(
        ("key", "value"),
        ((key, value if isinstance(value, str) else json.dumps(value)) for key, value in values.items()),
    )


def print_imported(file: Path, found: "Imported") -> None:
    """Say what an import did; problems go to standard error, one a line with file, line and column."""
    for problem in found.problems[:_SHOWN]:
        column = f", column {problem.issue.column}" if problem.issue.column else ""
        issue = problem.issue
        print(f"{file}, line {problem.line}{column}: {issue.message} {issue.hint} ({issue.code})", file=sys.stderr)
    if len(found.problems) > _SHOWN:
        print(f"... and {len(found.problems) - _SHOWN:,} more problems", file=sys.stderr)
    print(f"{found.created:,} passes created, {found.present:,} there already, of {found.records:,} records.")
    if found.warned:
        print(f"{found.warned:,} records were stored without a value that their field's policy drops.")
    if found.problems:
        rest = f"records from {found.done + 1:,} on" if found.done else "nothing"
        kept = "not stored" if found.done else "stored"
        print(f"Stopped at the first chunk with a problem: {rest} {kept}. Mend the file and import it again.")


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    errors = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def _as_object(
    row: "PassRow", project: "Project", named: Iterable[tuple[int, str, str]], *, reveal: bool
) -> dict[str, Any]:
    """Return what programs are told about a pass; the keys are stable."""
    document: Mapping[str, Any] = json.loads(row.document)
    personal = {field.target for field in project.model.fields if field.pii}
    # What the data model no longer knows may have been personal.
    known = {field.target for field in project.model.fields}
    return {
        "id": row.id,
        "project": row.project,
        "pass_type": row.pass_type,
        "status": row.status,
        "expires_at": row.expires_at,
        "revision": row.revision,
        "modified_at": _moment(row.modified_at),
        "apple": row.apple,
        "google": row.google,
        "writers": json.loads(row.writers),
        "identifiers": _identifiers(row, project, named, reveal=reveal),
        "document": {
            key: value if reveal or (key in known and key not in personal) else MASK for key, value in document.items()
        },
    }


def _identifiers(
    row: "PassRow", project: "Project", named: Iterable[tuple[int, str, str]], *, reveal: bool
) -> dict[str, str]:
    open_kinds = {kind.name for kind in project.model.identifiers if not (kind.pii or kind.person)}
    return {kind: value if reveal or kind in open_kinds else MASK for number, kind, value in named if number == row.no}


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def _as_objects(problems: "Iterable[Problem]") -> list[dict[str, Any]]:
    names = ("code", "column", "value", "message", "hint")
    return [{"line": found.line} | {name: getattr(found.issue, name) for name in names} for found in problems]

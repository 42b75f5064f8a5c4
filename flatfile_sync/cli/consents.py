"""See what holders agreed to, with the proof, and hand it to them."""

import csv
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.clock import iso
from flatfile_sync.domain.failures import Refused

if TYPE_CHECKING:
    from flatfile_sync.domain.project import Project
    from flatfile_sync.store.consents import ConsentRow

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

ProjectName = Annotated[str | None, typer.Option("--project", metavar="NAME", help="The project; or the only one.")]
_HELP: Final = "A person like customerEmail=ana@mail.example, or pass=ID for one without a person."
_COLUMNS: Final = (
    *("purpose", "granted", "at", "source", "proof", "wording"),
    *("drop_id", "record", "recorded_at", "subject_kind", "subject", "project"),
)


class Format(StrEnum):
    """How a ledger is written."""

    CSV = "csv"
    JSON = "json"


@app.command("show")
def show(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="KIND=VALUE", help=_HELP)],
    *,
    project_name: ProjectName = None,
    as_json: AsJson = False,
) -> None:
    """Show what a person said about each purpose, and what counts now: the latest `at` wins."""
    rows = _ledger(ctx, subject, project_name)
    latest = {row.purpose: row for row in sorted(rows, key=lambda row: (row.at, not row.granted))}
    if as_json:
        now = {purpose: row.granted for purpose, row in sorted(latest.items())}
        print_json({"now": now, "statements": [_as_object(row) for row in rows]})
        return
    table = (
        (
            "counts" if row is latest[row.purpose] else "",
            row.purpose,
            _word(row),
            row.at,
            row.source,
            row.proof,
            row.wording,
        )
        for row in rows
    )
    print_table(("", "purpose", "said", "at", "source", "proof", "wording"), table)


@app.command("export")
def export(
    ctx: typer.Context,
    subject: Annotated[str, typer.Option("--subject", metavar="KIND=VALUE", help=_HELP)],
    *,
    project_name: ProjectName = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written, to standard output.")] = Format.CSV,
) -> None:
    """Write everything a person said about consent, with its proof, as CSV or JSON."""
    objects = [_as_object(row) for row in _ledger(ctx, subject, project_name)]
    if form is Format.JSON:
        print_json(objects)
        return
    writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in objects:
        writer.writerow(entry | {"granted": "opt-in" if entry["granted"] else "opt-out"})


def _ledger(ctx: typer.Context, text: str, project_name: str | None) -> "list[ConsentRow]":
    from flatfile_sync.store import consents

    with opened(ctx) as place:
        project = place.project(project_name)
        subject = _subject(text, project)
        with place.store.snapshot() as conn:
            rows = consents.of_subject(conn, project.name, subject)
    if not rows:
        raise Refused(f"Nobody of project {project.name!r} who is known by this {subject[0]} said anything.")
    return rows


def _subject(text: str, project: "Project") -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    kind = kind.removeprefix("id.")
    kinds = [known.name for known in project.model.identifiers if known.person] + ["pass"]
    if not equals or kind not in kinds:
        raise typer.BadParameter(
            f"{text!r} names no person; write one of {', '.join(f'{name}=...' for name in kinds)}."
        )
    return kind, value


def _word(row: "ConsentRow") -> str:
    return "opt-in" if row.granted else "opt-out"


def _as_object(row: "ConsentRow") -> dict[str, Any]:
    told = {name: getattr(row, name) for name in _COLUMNS}
    return told | {"at": iso(row.at), "recorded_at": iso(row.recorded_at)}

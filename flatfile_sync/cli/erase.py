"""`passes erase` and `passes readmit`: a person goes, and may come back."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.issues import MASK

if TYPE_CHECKING:
    from flatfile_sync.domain.project import Project
    from flatfile_sync.pipeline.erasing import Person, Trace
    from flatfile_sync.store.erasures import Removed

Key = Annotated[str, typer.Argument(metavar="KEY", help="A pass id, or an identifier like memberId=M000042.")]
ProjectName = Annotated[str | None, typer.Option("--project", metavar="NAME", help="The project; or the only one.")]


def erase(
    ctx: typer.Context,
    key: Key,
    *,
    project_name: ProjectName = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person: the data and identifiers of all their passes, their devices, links and messages.

    An empty row stays of each pass, and a tombstone, so that a late file that names them is refused (K08). The proof
    of what they agreed to is kept as long as the project says (`retention.consents`). Files that still name them are
    listed with the day they go.
    """
    from flatfile_sync.pipeline.erasing import erase as erase_now
    from flatfile_sync.pipeline.erasing import find_person, traces

    with opened(ctx) as place, tempfile.TemporaryDirectory(prefix="flatfile-sync-") as work:
        project = place.project(project_name)
        with place.store.snapshot() as conn:
            person = find_person(conn, key, project)
        if not yes:
            _show(person, project)
            typer.confirm("Erase this person? It cannot be undone.", abort=True)
        removed = place.store.write_now(lambda conn: erase_now(conn, person, project, clock=utc_now))
        left = list(traces(person, project, store=place.store, spool=place.spool, work=Path(work)))
    _report(person, project, removed, left, as_json=as_json)


def readmit(ctx: typer.Context, key: Key, *, project_name: ProjectName = None) -> None:
    """Let files name an identifier again whose holder was erased: somebody came back, or two share it."""
    from flatfile_sync.pipeline.erasing import readmit as readmit_now

    with opened(ctx) as place:
        project = place.project(project_name)
        place.store.write_now(lambda conn: readmit_now(conn, key, project, clock=utc_now))
    print("Readmitted: a file may name it again.")


def _show(person: "Person", project: "Project") -> None:
    personal = {kind.name for kind in project.model.identifiers if kind.pii or kind.person}
    kinds = ", ".join(f"{kind}={MASK if kind in personal else value}" for kind, value in person.keys)
    rows = ((row.id, row.pass_type, row.status, row.apple, row.google) for row in person.rows)
    print_table(("pass", "type", "status", "apple", "google"), rows)
    print(f"\nIdentifiers: {kinds}")


def _report(person: "Person", project: "Project", removed: "Removed", left: "list[Trace]", *, as_json: bool) -> None:
    counts = {name: getattr(removed, name) for name in removed.__dataclass_fields__}
    google = [row.id for row in person.rows if row.google]
    if as_json:
        files = [trace._asdict() for trace in left]
        told: dict[str, Any] = {"project": project.name, "pass_ids": [row.id for row in person.rows], **counts}
        print_json(told | {"google": google, "files": files})
        return
    print(
        f"Erased: {removed.passes:,} passes, {removed.identifiers:,} identifiers, {removed.devices:,} devices, "
        f"{removed.links:,} links, the texts of {removed.messages:,} messages."
    )
    if removed.consents:
        kept = project.retention.consents.days
        print(f"{removed.consents:,} statements about consent are kept as proof for {kept:,} days more.")
    if google:
        print(f"Google Wallet is told to show {len(google):,} passes empty and inactive; it cannot delete them.")
    if left:
        print("\nFiles that still name the person, and when they go:")
        rows = ((trace.zone, trace.account, trace.name, trace.until or "when its drop is over") for trace in left)
        print_table(("where", "account", "file", "until"), rows)

"""See what became of files, and let a drop go on, repeat or end."""

from typing import Annotated, Any

import typer

from flatfile_sync.cli.opening import AsJson, Limit, opened
from flatfile_sync.cli.output import print_json, print_pairs, print_table
from flatfile_sync.domain.clock import utc_now
from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.states import DropState

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

DropId = Annotated[str, typer.Argument(metavar="ID", help="The drop's id, or its first digits.")]
_STEPS = ("received", "claimed", "planned", "applied", "reported", "settled")


@app.command("list")
def list_drops(
    ctx: typer.Context,
    *,
    state: Annotated[
        DropState | None, typer.Option(case_sensitive=False, help="Only those that have come so far.")
    ] = None,
    stuck: Annotated[bool, typer.Option("--stuck", help="Only those that wait for `retry`.")] = False,
    feed: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of a feed.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List drops, the newest first."""
    from flatfile_sync.store import drops

    with opened(ctx) as place:
        found = place.store.read_now(
            lambda conn: drops.listing(conn, limit=limit, state=state, feed=feed, stuck=stuck or None)
        )
    if as_json:
        print_json([as_object(drop) for drop in found])
        return
    rows = ((drop.id[:8], _state(drop), drop.verdict, drop.feed, drop.received_at, drop.file_name) for drop in found)
    print_table(("id", "state", "verdict", "feed", "received", "file"), rows, nothing="No drops.")


@app.command("show")
def show(ctx: typer.Context, drop_id: DropId, as_json: AsJson = False) -> None:
    """Show one drop: its times, verdict, chunks, artefacts and deliveries."""
    from flatfile_sync.pipeline import operate
    from flatfile_sync.store import artefacts, chunks, deliveries

    with opened(ctx) as place, place.store.snapshot() as conn:
        drop = operate.find(conn, drop_id)
        planned = chunks.of_drop(conn, drop.id)
        files = artefacts.of_drop(conn, drop.id)
        owed = deliveries.tally(conn, drop.id)
    done = [chunk for chunk in planned if chunk.verdict_file is not None]
    if as_json:
        progress = {
            "chunks": len(planned),
            "chunks_applied": len(done),
            "records": sum(chunk.records for chunk in planned),
            "records_applied": sum(chunk.records for chunk in done),
        }
        found = [{"zone": file.zone, "folder": file.feed, "name": file.name, "bytes": file.size} for file in files]
        more = {"progress": progress, "artefacts": found, "deliveries": [entry._asdict() for entry in owed]}
        print_json(as_object(drop) | more)
        return
    print_pairs(_particulars(drop))
    if planned:
        records = f"{sum(chunk.records for chunk in done):,} of {sum(chunk.records for chunk in planned):,} records"
        print(f"\nChunks: {len(done)} of {len(planned)} have their verdicts, {records}.")
    if files:
        print("\nArtefacts")
        print_table(("zone", "bytes", "name"), ((f"{file.zone}/{file.feed}", file.size, file.name) for file in files))
    if owed:
        print("\nDeliveries")
        print_table(("platform", "kind", "state", "outcome", "deliveries"), owed)


@app.command("retry")
def retry(ctx: typer.Context, drop_id: DropId) -> None:
    """Make a stuck drop due again."""
    from flatfile_sync.pipeline import operate

    with opened(ctx) as place:
        drop = place.store.write_now(
            lambda conn: operate.retry(conn, operate.find(conn, drop_id), clock=utc_now),
        )
    print(f"Drop {drop.id} ({drop.file_name}) is due again; a running daemon takes it within seconds.")


@app.command("force")
def force(ctx: typer.Context, drop_id: DropId) -> None:
    """Let a held drop go on, or apply a duplicate as a new drop."""
    from flatfile_sync.pipeline import operate

    with opened(ctx) as place:
        spool = place.spool
        drop = place.store.write_now(
            lambda conn: operate.force(conn, operate.find(conn, drop_id), spool=spool, clock=utc_now)
        )
    if drop.forced and drop.state is DropState.RECEIVED:
        print(f"The same bytes go on as drop {drop.id} ({drop.file_name}).")
    else:
        print(f"Drop {drop.id} ({drop.file_name}) is released.")


@app.command("cancel")
def cancel(ctx: typer.Context, drop_id: DropId) -> None:
    """End a drop that is received, held or stuck; what it applied stays applied."""
    from flatfile_sync.pipeline import operate

    with opened(ctx) as place:
        spool = place.spool
        drop = place.store.write_now(
            lambda conn: operate.cancel(conn, operate.find(conn, drop_id), spool=spool, clock=utc_now)
        )
    print(f"Drop {drop.id} ({drop.file_name}) is cancelled; its result set will say so for every record.")


def as_object(drop: Drop) -> dict[str, Any]:
    """Return what programs are told about a drop; the keys are stable."""
    names = ("id", "seq", "account", "project", "feed", "file_name", "result_name", "bytes", "sha256", "dry_run")
    more = ("state", "verdict", "reason", "stuck", "attempts", "last_error", "duplicate_of", "parent_id", "forced")
    moments = (*(f"{step}_at" for step in _STEPS), "due_at", "horizon_at")
    found = {name: getattr(drop, name) for name in (*names, *more, *moments)}
    return found | {"records": drop.summary.get("records"), "guard": drop.summary.get("guard")}


def _state(drop: Drop) -> str:
    return f"{drop.state} !" if drop.stuck else drop.state.value


def _particulars(drop: Drop) -> dict[str, object]:
    """Return what people are told about a drop; what is empty is left out."""
    guard: Any = drop.summary.get("guard")
    tripped = f"{guard['rule']}: limit {guard['limit']}, found {guard['observed']}" if guard else None
    told: dict[str, object] = {
        "drop": drop.id,
        "file": drop.file_name,
        "from": f"{drop.account} to {drop.project}/{drop.feed}{' (dry run)' if drop.dry_run else ''}",
        "bytes": drop.bytes,
        "sha256": drop.sha256,
        "state": drop.state.value,
        "verdict": drop.verdict,
        "reason": drop.reason,
        "guard": tripped,
        "duplicate of": drop.duplicate_of,
        "repairs": drop.parent_id,
        "forced": drop.forced or None,
        "stuck": f"after {drop.attempts} attempts; `drops retry` lets it go on" if drop.stuck else None,
        "last error": drop.last_error,
        "due": drop.due_at,
        "records": drop.summary.get("records"),
    }
    told |= {step: getattr(drop, f"{step}_at") for step in _STEPS}
    return {name: value for name, value in told.items() if value is not None}

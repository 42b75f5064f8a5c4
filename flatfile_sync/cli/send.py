"""Put a file into the inbox as a partner does and, with --wait, print the result set."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.cli.output import print_json
from flatfile_sync.cli.partner import Address, Partner, ResultSet
from flatfile_sync.cli.results import print_ack, print_problems, print_summary
from flatfile_sync.domain.failures import Refused

_NOT_IN_ORDER = ("rejected", "skipped", "unprocessed")


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to send.")],
    *,
    host: Annotated[str, typer.Option(help="The server.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 2222,
    user: Annotated[str, typer.Option(help="The account.")] = "partner",
    key: Annotated[Path, typer.Option(metavar="FILE", help="The account's private key.")] = Path("keys/partner"),
    fingerprint: Annotated[
        list[str] | None,
        typer.Option(metavar="SHA256:...", help="A key the server may show, instead of ~/.ssh/known_hosts."),
    ] = None,
    feed: Annotated[str | None, typer.Option(metavar="NAME", help="Put it into this feed's folder.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Put it into dryrun: same reports, no change.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result set and print it.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="How long to wait at most.")] = 600.0,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Save the result set there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary (or the ack) as JSON.")] = False,
) -> None:
    """Put a file into the inbox as a partner does and, with --wait, print the result set."""
    if not file.is_file():
        raise Refused(f"{file}: there is no such file.")
    address = Address(host=host, port=port, user=user, key=key, fingerprints=tuple(fingerprint or ()))
    folder = "/".join(("/dryrun" if dry_run else "/inbox", *((feed,) if feed else ())))
    with Partner(address) as partner, _bars(quiet=as_json) as bars:
        upload = bars.add_task(f"sending {file.name}", total=file.stat().st_size)
        sent = partner.put(file, folder, progress=lambda done, _total: bars.update(upload, completed=done))
        ack = sent.ack(timeout=30)
        found: ResultSet | None = None
        if wait and ack["drop_id"] is not None:
            line = bars.add_task("waiting", total=None)
            found = sent.result_set(
                ack["stem"],
                timeout=timeout,
                progress=lambda step, records: bars.update(line, description=f"{step}: {records:,} records"),
            )
    if found is None:
        print_json(ack) if as_json else print_ack(ack)
        return
    if out is not None:
        found.save(out)
    if as_json:
        print_json(found.summary)
    else:
        print_summary(found.summary)
        print_problems(found.table("issues.csv"))
    if any(found.summary["counts"][status] for status in _NOT_IN_ORDER):
        raise typer.Exit(ExitCode.BAD)


def _bars(*, quiet: bool) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), transient=True, disable=quiet)

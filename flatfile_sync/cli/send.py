"""Put a file into the inbox as a partner does and, with --wait, print the result set."""

from pathlib import Path
from typing import Annotated

import typer

from flatfile_sync.cli.exits import ExitCode
from flatfile_sync.domain.failures import Refused


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
    from flatfile_sync.cli.partner import Address
    from flatfile_sync.cli.sending import deliver

    address = Address(host=host, port=port, user=user, key=key, fingerprints=tuple(fingerprint or ()))
    folder = "/".join(("/dryrun" if dry_run else "/inbox", *((feed,) if feed else ())))
    if not deliver(file, folder, address=address, patience=timeout if wait else None, out=out, as_json=as_json):
        raise typer.Exit(ExitCode.BAD)

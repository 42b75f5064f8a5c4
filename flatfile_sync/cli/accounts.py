"""Let partners in by their public keys, and shut them out."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.clock import utc_now

if TYPE_CHECKING:
    from flatfile_sync.store.accounts import Key

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
KeyFile = typer.Option(metavar="FILE", help="The file of a public key (ends in .pub); - reads standard input.")


@app.command("add")
def add(
    ctx: typer.Context,
    name: Name,
    *,
    key: Annotated[Path, KeyFile],
    project: Annotated[str | None, typer.Option(metavar="NAME", help="Its project; the only one if left out.")] = None,
    feed: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A feed it may use; none = all.")] = None,
) -> None:
    """Add an account with its first public key."""
    from flatfile_sync.pipeline import admit

    first = _read(name, key)
    with opened(ctx) as place:
        found = place.project(project)
        for wanted in feed or ():
            if found.feed(wanted) is None:
                known = ", ".join(known.name for known in found.feeds)
                raise typer.BadParameter(f"project {found.name!r} has no feed {wanted!r}; it has {known}.")
        place.store.write_now(
            lambda conn: admit.add(conn, name, project=found.name, feeds=feed or (), key=first, clock=utc_now)
        )
        sftp = place.settings.sftp
    print(f"Account {name!r} of project {found.name!r} comes in with {first.fingerprint}:")
    print(f"  sftp -P {sftp.port} {name}@{sftp.host}")


@app.command("list")
def list_accounts(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List accounts by name."""
    from flatfile_sync.store import accounts

    with opened(ctx) as place, place.store.snapshot() as conn:
        found = [(account, accounts.keys(conn, account.name)) for account in accounts.listing(conn)]
    if as_json:
        print_json(
            [
                {**account._asdict(), "keys": [key.fingerprint for key in keys], "last_used_at": _last_used(keys)}
                for account, keys in found
            ]
        )
        return
    rows = (
        (
            account.name,
            account.project,
            ", ".join(account.feeds) or "all",
            len(keys),
            _last_used(keys),
            "disabled" if account.disabled_at else "on",
        )
        for account, keys in found
    )
    print_table(("account", "project", "feeds", "keys", "last used", "state"), rows, nothing="No accounts.")


@app.command("keys")
def keys(
    ctx: typer.Context,
    name: Name,
    *,
    add: Annotated[Path | None, KeyFile] = None,
    remove: Annotated[str | None, typer.Option(metavar="SHA256:...", help="Fingerprint of a key to remove.")] = None,
    as_json: AsJson = False,
) -> None:
    """List an account's keys, after adding or removing one."""
    from flatfile_sync.pipeline import admit
    from flatfile_sync.store import accounts

    new = None if add is None else _read(name, add)
    with opened(ctx) as place:
        account = place.store.read_now(lambda conn: admit.find(conn, name))
        if new is not None:
            place.store.write_now(lambda conn: admit.add_key(conn, new, clock=utc_now))
        if remove is not None:
            place.store.write_now(lambda conn: admit.remove_key(conn, account, remove, clock=utc_now))
        found = place.store.read_now(lambda conn: accounts.keys(conn, name))
    if as_json:
        print_json([key._asdict() for key in found])
        return
    rows = ((key.fingerprint, key.public_key.split()[0], key.added_at, key.last_used_at, key.comment) for key in found)
    nothing = f"Account {name!r} has no key: nobody comes in with it."
    print_table(("fingerprint", "type", "added", "last used", "comment"), rows, nothing=nothing)


@app.command("disable")
def disable(ctx: typer.Context, name: Name) -> None:
    """Switch an account off; what it sent and received stays."""
    from flatfile_sync.pipeline import admit

    with opened(ctx) as place:
        place.store.write_now(lambda conn: admit.disable(conn, admit.find(conn, name), clock=utc_now))
    print(f"Account {name!r} is disabled: no new login.")


def _read(account: str, file: Path) -> "Key":
    from flatfile_sync.daemon.keys import parse_public_key
    from flatfile_sync.store.accounts import Key

    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8", errors="replace")
    parsed = parse_public_key(text)
    return Key(account, parsed.fingerprint, parsed.public_key, parsed.comment, utc_now(), None)


def _last_used(keys: "list[Key]") -> object:
    return max((key.last_used_at for key in keys if key.last_used_at), default=None)

"""Let partners in by their public keys, and shut them out."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatfile_sync.cli.opening import AsJson, opened
from flatfile_sync.cli.output import print_json, print_table
from flatfile_sync.domain.clock import utc_now

if TYPE_CHECKING:
    from flatfile_sync.store.accounts import Key
    from flatfile_sync.store.database import Connection

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
KeyFile = typer.Option(metavar="FILE", help="The file of a public key (ends in .pub); - reads standard input.")


From = typer.Option("--from", metavar="NETWORK", help="An address or network it is good from; none = any.")
Until = typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When the key ends, in UTC.")


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
                {
                    **{key: value for key, value in account._asdict().items() if key != "password"},
                    "has_password": account.password is not None,
                    "keys": [key.fingerprint for key in keys],
                    "last_used_at": _last_used(keys),
                }
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
            account.last_login_at or _last_used(keys),
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
    rotate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A public key that takes the place of all others.")
    ] = None,
    overlap: Annotated[int, typer.Option(metavar="DAYS", min=0, help="With --rotate: how long the others go on.")] = 14,
    until: Annotated[datetime | None, Until] = None,
    network: Annotated[list[str] | None, From] = None,
    expire: Annotated[
        str | None, typer.Option(metavar="SHA256:...", help="Fingerprint of a key that ends at --until, or now.")
    ] = None,
    remove: Annotated[str | None, typer.Option(metavar="SHA256:...", help="Fingerprint of a key to remove.")] = None,
    as_json: AsJson = False,
) -> None:
    """List an account's keys, after adding, rotating, ending or removing one."""
    from flatfile_sync.pipeline import admit
    from flatfile_sync.store import accounts

    end = None if until is None else until.replace(tzinfo=UTC)
    if add is not None and rotate is not None:
        raise typer.BadParameter("--add and --rotate: one of them.")
    source = add if rotate is None else rotate
    new = None
    if source is not None:
        new = _read(name, source)._replace(addresses=_networks(network), expires_at=None if expire else end)

    def change(conn: "Connection") -> "list[Key]":
        account = admit.find(conn, name)
        if new is not None and rotate is not None:
            admit.rotate(conn, account, new, overlap=timedelta(days=overlap), clock=utc_now)
        elif new is not None:
            admit.add_key(conn, new, clock=utc_now)
        if expire is not None:
            admit.end_key(conn, account, expire, at=end or utc_now(), clock=utc_now)
        if remove is not None:
            admit.remove_key(conn, account, remove, clock=utc_now)
        return accounts.keys(conn, name)

    with opened(ctx) as place:
        found = place.store.write_now(change)
    if as_json:
        print_json([key._asdict() for key in found])
        return
    rows = (
        (
            key.fingerprint,
            key.public_key.split()[0],
            key.added_at,
            key.last_used_at,
            key.expires_at,
            ", ".join(key.addresses) or "any",
            key.comment,
        )
        for key in found
    )
    nothing = f"Account {name!r} has no key: nobody comes in with it."
    columns = ("fingerprint", "type", "added", "last used", "ends", "from", "comment")
    print_table(columns, rows, nothing=nothing)


@app.command("disable")
def disable(ctx: typer.Context, name: Name) -> None:
    """Switch an account off; what it sent and received stays."""
    from flatfile_sync.pipeline import admit

    with opened(ctx) as place:
        place.store.write_now(lambda conn: admit.disable(conn, admit.find(conn, name), clock=utc_now))
    print(f"Account {name!r} is disabled: no new login.")


@app.command("enable")
def enable(ctx: typer.Context, name: Name) -> None:
    """Switch an account on again."""
    from flatfile_sync.pipeline import admit

    with opened(ctx) as place:
        place.store.write_now(lambda conn: admit.enable(conn, admit.find(conn, name), clock=utc_now))
    print(f"Account {name!r} is on.")


@app.command("addresses")
def addresses(ctx: typer.Context, name: Name, *, network: Annotated[list[str] | None, From] = None) -> None:
    """Say from which networks an account may come; without --from: from any."""
    from flatfile_sync.pipeline import admit

    wanted = _networks(network)
    with opened(ctx) as place:
        place.store.write_now(lambda conn: admit.set_addresses(conn, admit.find(conn, name), wanted, clock=utc_now))
    print(f"Account {name!r} comes from {', '.join(wanted) or 'anywhere'}.")


@app.command("password")
def password(
    ctx: typer.Context, name: Name, *, remove: Annotated[bool, typer.Option("--remove", help="Take it away.")] = False
) -> None:
    """Give an account a password, asked for or read from standard input; it counts where sftp.passwords is true."""
    from flatfile_sync.pipeline import admit
    from flatfile_sync.sftp import passwords

    digest = None
    if not remove:
        asked = typer.prompt("Password", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        if not passwords.LEAST <= len(asked) <= passwords.MOST:
            raise typer.BadParameter(f"A password has {passwords.LEAST} to {passwords.MOST} characters.")
        digest = passwords.digest(asked)
    with opened(ctx) as place:
        place.store.write_now(lambda conn: admit.set_password(conn, admit.find(conn, name), digest, clock=utc_now))
        on = place.settings.sftp.passwords
    print(f"Account {name!r} has {'no' if remove else 'a'} password.")
    if not remove and not on:
        print("It does not count yet: sftp.passwords is false.")


@app.command("sheet")
def sheet(ctx: typer.Context, name: Name) -> None:
    """Print what a partner needs to connect: host, fingerprints, folders, feeds, commands for their tools."""
    from flatfile_sync.cli.sheet import write
    from flatfile_sync.daemon.wiring import HOST_KEYS
    from flatfile_sync.pipeline import admit
    from flatfile_sync.sftp import host_keys

    with opened(ctx) as place:
        account = place.store.read_now(lambda conn: admit.find(conn, name))
        project = place.project(account.project)
        known = host_keys.fingerprints(place.settings.data_folder / HOST_KEYS)
        print(write(account, project, place.settings.sftp, known), end="")


def _read(account: str, file: Path) -> "Key":
    from flatfile_sync.daemon.keys import parse_public_key
    from flatfile_sync.store.accounts import Key

    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8", errors="replace")
    parsed = parse_public_key(text)
    return Key(account, parsed.fingerprint, parsed.public_key, parsed.comment, utc_now(), None)


def _networks(texts: "list[str] | None") -> tuple[str, ...]:
    from ipaddress import ip_network

    try:
        return tuple(str(ip_network(text)) for text in texts or ())
    except ValueError as error:
        raise typer.BadParameter(f"--from: {error}; expected an address or a network such as 203.0.113.0/24.") from None


def _last_used(keys: "list[Key]") -> object:
    return max((key.last_used_at for key in keys if key.last_used_at), default=None)

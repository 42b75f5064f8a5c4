"""Who may come in: what an operator may ask of accounts, each verb inside one write transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import Refused
from flatfile_sync.pipeline.entering import NAME
from flatfile_sync.pipeline.operate import ACTOR
from flatfile_sync.store import accounts, audit, bans
from flatfile_sync.store.accounts import Account, Key


def find(conn: Connection, name: str) -> Account:
    """Return the account of that name. Raises `Refused` if there is none."""
    account = accounts.by_name(conn, name)
    if account is None:
        raise Refused(f"There is no account {name!r}; `accounts list` shows them.")
    return account


def add(conn: Connection, name: str, *, project: str, feeds: Sequence[str], key: Key, clock: Clock) -> None:
    """Store a new account with its first key. Raises `Refused` if the name is taken, or none to be taken."""
    if not NAME.fullmatch(name):
        raise Refused(
            f"{name!r} cannot be an account's name: at most 64 of a-z, 0-9, dot, underscore and hyphen, "
            "beginning with a letter or digit."
        )
    if accounts.by_name(conn, name) is not None:
        raise Refused(f"There is an account {name!r} already; `accounts keys {name} --add FILE` gives it a key.")
    accounts.add(conn, name=name, project=project, feeds=feeds, now=clock())
    _audit(conn, "account_added", name, clock, project=project, feeds=list(feeds))
    add_key(conn, key, clock=clock)


def add_key(conn: Connection, key: Key, *, clock: Clock) -> None:
    """Give an account a key. Raises `Refused` if it has it already."""
    if not accounts.add_key(conn, key):
        raise Refused(f"Account {key.account!r} has the key {key.fingerprint} already.")
    _audit(conn, "account_key_added", key.account, clock, fingerprint=key.fingerprint)


def remove_key(conn: Connection, account: Account, fingerprint: str, *, clock: Clock) -> None:
    """Take a key away. Raises `Refused` if the account does not have it."""
    if not accounts.remove_key(conn, account.name, fingerprint):
        raise Refused(f"Account {account.name!r} has no key {fingerprint}; `accounts keys {account.name}` lists them.")
    _audit(conn, "account_key_removed", account.name, clock, fingerprint=fingerprint)


def disable(conn: Connection, account: Account, *, clock: Clock) -> None:
    """Switch an account off; its files stay. Raises `Refused` if it is off already."""
    if not accounts.disable(conn, account.name, now=clock()):
        raise Refused(f"Account {account.name!r} is disabled already.")
    _audit(conn, "account_disabled", account.name, clock)


def enable(conn: Connection, account: Account, *, clock: Clock) -> None:
    """Switch an account on again. Raises `Refused` if it is on."""
    if not accounts.enable(conn, account.name):
        raise Refused(f"Account {account.name!r} is not disabled.")
    _audit(conn, "account_enabled", account.name, clock)


def end_key(conn: Connection, account: Account, fingerprint: str, *, at: datetime, clock: Clock) -> None:
    """Have a key end at a moment. Raises `Refused` if the account does not have it."""
    if not accounts.end_key(conn, account.name, fingerprint, at=at):
        raise Refused(f"Account {account.name!r} has no key {fingerprint}; `accounts keys {account.name}` lists them.")
    _audit(conn, "account_key_ends", account.name, clock, fingerprint=fingerprint, at=at.isoformat())


def rotate(conn: Connection, account: Account, key: Key, *, overlap: timedelta, clock: Clock) -> Sequence[Key]:
    """Give an account a key that takes the place of its others, which end after `overlap`; return those.

    One that ends sooner anyway still does.
    """
    end = clock() + overlap
    before = [old for old in accounts.keys(conn, account.name) if old.expires_at is None or old.expires_at > end]
    add_key(conn, key, clock=clock)
    for old in before:
        end_key(conn, account, old.fingerprint, at=end, clock=clock)
    return [old._replace(expires_at=end) for old in before]


def set_password(conn: Connection, account: Account, digest: str | None, *, clock: Clock) -> None:
    """Store the hash of an account's password, None takes it away."""
    accounts.set_password(conn, account.name, digest)
    _audit(conn, "account_password_set" if digest else "account_password_removed", account.name, clock)


def set_addresses(conn: Connection, account: Account, networks: Sequence[str], *, clock: Clock) -> None:
    """Say from which networks an account may come; none = any."""
    accounts.set_addresses(conn, account.name, networks)
    _audit(conn, "account_addresses_set", account.name, clock, addresses=list(networks))


def lift_ban(conn: Connection, address: str, *, clock: Clock) -> None:
    """Forget what is held against an address. Raises `Refused` if that is nothing."""
    if not bans.lift(conn, address):
        raise Refused(f"Nothing is held against {address!r}; `bans list` shows the bans that run.")
    audit.record(conn, at=clock(), actor=ACTOR, event="ban_lifted", details={"address": address})


def _audit(conn: Connection, event: str, account: str, clock: Clock, **details: object) -> None:
    audit.record(conn, at=clock(), actor=ACTOR, event=event, details={"account": account, **details})

"""Who may come in: what an operator may ask of accounts, each verb inside one write transaction."""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import Refused
from flatfile_sync.pipeline.entering import NAME
from flatfile_sync.pipeline.operate import ACTOR
from flatfile_sync.store import accounts, audit
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


def _audit(conn: Connection, event: str, account: str, clock: Clock, **details: object) -> None:
    audit.record(conn, at=clock(), actor=ACTOR, event=event, details={"account": account, **details})

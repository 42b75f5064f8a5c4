"""SFTP logins and their public keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.tables import account_keys, accounts


class Account(NamedTuple):
    """A login of a project; an empty `feeds` means all of them, empty `addresses` any. `password` is a hash."""

    name: str
    project: str
    feeds: Sequence[str]
    created_at: datetime
    disabled_at: datetime | None
    addresses: Sequence[str] = ()
    password: str | None = None
    last_login_at: datetime | None = None


class Key(NamedTuple):
    """A public key of an account, as OpenSSH writes it; empty `addresses` means that it is good from any."""

    account: str
    fingerprint: str
    public_key: str
    comment: str
    added_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None = None
    addresses: Sequence[str] = ()


_ACCOUNT = [accounts.c[name] for name in Account._fields]
_KEY = [account_keys.c[name] for name in Key._fields]


def add(conn: Connection, *, name: str, project: str, feeds: Sequence[str], now: datetime) -> None:
    """Store a new account."""
    conn.execute(sa.insert(accounts).values(name=name, project=project, feeds=list(feeds), created_at=now))


def by_name(conn: Connection, name: str) -> Account | None:
    """Return an account, or None."""
    row = conn.execute(sa.select(*_ACCOUNT).where(accounts.c.name == name)).first()
    return Account._make(row) if row else None


def listing(conn: Connection) -> list[Account]:
    """Return all accounts, by name."""
    return [Account._make(row) for row in conn.execute(sa.select(*_ACCOUNT).order_by(accounts.c.name))]


def disable(conn: Connection, name: str, *, now: datetime) -> bool:
    """Switch an account off; return whether it was on."""
    statement = sa.update(accounts).where(accounts.c.name == name, accounts.c.disabled_at.is_(None))
    return conn.execute(statement.values(disabled_at=now)).rowcount == 1


def enable(conn: Connection, name: str) -> bool:
    """Switch an account on; return whether it was off."""
    statement = sa.update(accounts).where(accounts.c.name == name, accounts.c.disabled_at.is_not(None))
    return conn.execute(statement.values(disabled_at=None)).rowcount == 1


def set_password(conn: Connection, name: str, digest: str | None) -> None:
    """Store the hash of a password, or None: then there is none."""
    conn.execute(sa.update(accounts).where(accounts.c.name == name).values(password=digest))


def set_addresses(conn: Connection, name: str, networks: Sequence[str]) -> None:
    """Store the networks an account comes from; none = any."""
    conn.execute(sa.update(accounts).where(accounts.c.name == name).values(addresses=networks))


def end_key(conn: Connection, account: str, fingerprint: str, *, at: datetime) -> bool:
    """Have a key end at a moment; return whether the account has it."""
    condition = (account_keys.c.account == account) & (account_keys.c.fingerprint == fingerprint)
    return conn.execute(sa.update(account_keys).where(condition).values(expires_at=at)).rowcount == 1


def add_key(conn: Connection, key: Key) -> bool:
    """Give an account a key; return whether it is new."""
    if any(known.fingerprint == key.fingerprint for known in keys(conn, key.account)):
        return False
    conn.execute(sa.insert(account_keys).values(**key._asdict()))
    return True


def remove_key(conn: Connection, account: str, fingerprint: str) -> bool:
    """Take a key away; return whether the account had it."""
    condition = (account_keys.c.account == account) & (account_keys.c.fingerprint == fingerprint)
    return conn.execute(sa.delete(account_keys).where(condition)).rowcount == 1


def keys(conn: Connection, account: str) -> list[Key]:
    """Return an account's keys, oldest first."""
    query = sa.select(*_KEY).where(account_keys.c.account == account).order_by(account_keys.c.added_at)
    return [Key._make(row) for row in conn.execute(query)]


def used(conn: Connection, account: str, fingerprint: str, *, now: datetime) -> None:
    """Remember when a key was used last."""
    condition = (account_keys.c.account == account) & (account_keys.c.fingerprint == fingerprint)
    conn.execute(sa.update(account_keys).where(condition).values(last_used_at=now))


def logged_in(conn: Connection, name: str, *, now: datetime) -> None:
    """Remember when an account came in last."""
    conn.execute(sa.update(accounts).where(accounts.c.name == name).values(last_login_at=now))

"""Who comes in at the SFTP door, and what is written down when somebody did.

An account that there is not costs the same statements as one that there is: time must not tell who our partners are.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Final

from sqlalchemy.engine import Connection

from flatfile_sync.domain.addresses import Address, within
from flatfile_sync.store import accounts, audit
from flatfile_sync.store.accounts import Account

# sftp-door, section 4: what every client can type and no log can misread.
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# No account's name: asked for where the name that came in can be none, and may not even be text for a database.
_NOBODY: Final = "-"


def open_account(conn: Connection, name: str, *, address: Address) -> Account | None:
    """Return the account if it is switched on and may come from the address."""
    account = accounts.by_name(conn, name if NAME.fullmatch(name) else _NOBODY)
    if account is None or account.disabled_at is not None or not _good_from(account.addresses, address):
        return None
    return account


def may_enter_by_key(conn: Connection, name: str, fingerprint: str, *, address: Address, now: datetime) -> bool:
    """Return whether a key opens an account now, from this address."""
    account = open_account(conn, name, address=address)
    found = accounts.keys(conn, name if account is not None else _NOBODY)
    return any(
        key.fingerprint == fingerprint
        and (key.expires_at is None or now < key.expires_at)
        and _good_from(key.addresses, address)
        for key in found
    )


def entered(
    conn: Connection, name: str, *, method: str, key: str | None, details: dict[str, str], now: datetime
) -> None:
    """Remember a login: in the trail, with the account, and with the key it came in by."""
    accounts.logged_in(conn, name, now=now)
    if key is not None:
        accounts.used(conn, name, key, now=now)
        details = {"key": key, **details}
    audit.record(conn, at=now, actor=name, event="login", details={"method": method, **details})


def _good_from(networks: Sequence[str], address: Address) -> bool:
    return not networks or within(address, (ip_network(network) for network in networks))

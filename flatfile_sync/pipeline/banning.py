"""Strikes and bans: what a failed login costs an address, kept over a restart."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.engine import Connection

from flatfile_sync.domain.bans import BanPolicy
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline.counting import count
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import audit, bans
from flatfile_sync.store.database import Priority

PASSWORDS_OF: Final = "password:"
"""Before an account's name, in the place of an address: no address is written so."""
_ACTOR: Final = "door"


async def strike(address: str, *, policy: BanPolicy, kit: Kit) -> datetime | None:
    """Hold a failure against an address (or the passwords of a name); return until when it is banned, if it is."""
    now = kit.clock()

    def work(conn: Connection) -> datetime | None:
        before = bans.standing(conn, address)
        after = policy.strike(before, now)
        bans.put(conn, address, after)
        until = after.banned_until
        if until is not None and (before is None or until != before.banned_until):
            details = {"address": address, "until": until.isoformat()}
            event = "address_banned" if not address.startswith(PASSWORDS_OF) else "passwords_locked"
            audit.record(conn, at=now, actor=_ACTOR, event=event, details=details)
            count(conn, Figure.BANS, kit=kit)
        return until

    return await kit.store.write(work, priority=Priority.DOOR)


async def running(*, kit: Kit) -> Mapping[str, datetime]:
    """Return address -> end of every ban that runs."""
    now = kit.clock()
    return await kit.store.read(lambda conn: bans.running(conn, now=now))

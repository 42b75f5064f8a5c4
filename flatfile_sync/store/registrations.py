"""Devices that hold an Apple pass: registered by the device, gone when it says so or Apple does."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import join_outwards, key_set, visible_below
from flatfile_sync.store.tables import passes
from flatfile_sync.store.wallet_tables import registrations


def add(
    conn: Connection, *, device: str, pass_no: int, push_token: str, now: datetime, most: int | None = None
) -> bool | None:
    """Register a device for a pass, or note its new push token; return whether it is a new registration.

    None = it is not registered: the pass has `most` devices already, or the device `most` passes.
    """
    _lock(conn, [pass_no])
    chosen = (registrations.c.device == device) & (registrations.c.pass_no == pass_no)
    known = conn.execute(
        sa.update(registrations).where(chosen).values(push_token=push_token, registered_at=now, held_until=None)
    )
    if known.rowcount:
        return False
    if most is not None:
        for condition in (registrations.c.device == device, registrations.c.pass_no == pass_no):
            if (
                conn.execute(sa.select(sa.func.count()).select_from(registrations).where(condition)).scalar_one()
                >= most
            ):
                return None
    conn.execute(
        sa.insert(registrations).values(device=device, pass_no=pass_no, push_token=push_token, registered_at=now)
    )
    _count(conn, [pass_no])
    return True


def remove(conn: Connection, *, device: str, pass_no: int) -> bool:
    """Take a device off a pass; return whether it was registered."""
    chosen = (registrations.c.device == device) & (registrations.c.pass_no == pass_no)
    _lock(conn, [pass_no])
    gone = conn.execute(sa.delete(registrations).where(chosen)).rowcount > 0
    if gone:
        _count(conn, [pass_no])
    return gone


def drop_tokens(conn: Connection, gone: Sequence[tuple[str, datetime | None]]) -> int:
    """Remove registrations of push tokens that Apple no longer knows, unless told anew since; return how many."""
    removed = 0
    for token, since in gone:
        chosen = registrations.c.push_token == token
        if since is not None:
            chosen &= registrations.c.registered_at <= since
        numbers = list(conn.execute(sa.select(registrations.c.pass_no).where(chosen)).scalars())
        _lock(conn, numbers)
        removed += conn.execute(sa.delete(registrations).where(chosen)).rowcount
        _count(conn, numbers)
    return removed


def tokens_of(conn: Connection, pass_nos: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return pass number -> push tokens of its devices, sorted; passes without devices are not in the answer."""
    if not pass_nos:
        return {}
    keys = key_set(conn, pass_nos)
    query = join_outwards(conn, keys, registrations, registrations.c.pass_no == keys.c.value)
    found: dict[int, set[str]] = {}
    for number, token in conn.execute(query.add_columns(registrations.c.pass_no, registrations.c.push_token)):
        found.setdefault(number, set()).add(token)
    return {number: tuple(sorted(tokens)) for number, tokens in found.items()}


def changed_since(conn: Connection, *, device: str, tag: int | None) -> tuple[list[str], int]:
    """Return the ids of a device's passes changed after a tag (all without one), and the tag to ask with next time.

    Only what no later commit can precede is listed, so that no device skips a change (see `dialects.next_tag`). A tag
    that was never given out (the database was restored from a backup) is none.
    """
    below = visible_below(conn)
    if tag is not None and tag >= below:
        tag = None
    chosen = (registrations.c.device == device) & (passes.c.tag < below)
    if tag is not None:
        chosen &= passes.c.tag > tag
    joined = registrations.join(passes, passes.c.no == registrations.c.pass_no)
    rows = conn.execute(sa.select(passes.c.id).select_from(joined).where(chosen).order_by(passes.c.tag, passes.c.no))
    # The next question begins below what this snapshot could not see yet, even if nothing of this device changed.
    return list(rows.scalars()), below - 1


def _lock(conn: Connection, pass_nos: Sequence[int]) -> None:
    """Let nobody else count these passes' devices until this transaction ends (PostgreSQL), lowest number first."""
    for number in sorted(set(pass_nos)):
        conn.execute(sa.select(passes.c.no).where(passes.c.no == number).with_for_update())


def _count(conn: Connection, pass_nos: Sequence[int]) -> None:
    """Bring the passes' number of devices up to date."""
    for number in sorted(set(pass_nos)):
        devices = sa.select(sa.func.count()).where(registrations.c.pass_no == number).scalar_subquery()
        conn.execute(sa.update(passes).where(passes.c.no == number).values(apple=devices))

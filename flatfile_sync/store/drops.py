"""Drops: statements in the order of the line. Each move is a conditional update whose row count is 1."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.failures import LostTurnError
from flatfile_sync.domain.states import DropState, DropVerdict
from flatfile_sync.store.dialects import key_set
from flatfile_sync.store.tables import artefacts, drops

_CHANGED = (DropVerdict.APPLIED, DropVerdict.PARTIAL)
_BEFORE_APPLIED = (DropState.RECEIVED, DropState.CLAIMED, DropState.PLANNED)


def insert(conn: Connection, drop: Drop) -> None:
    """Store a received drop."""
    conn.execute(sa.insert(drops).values(**asdict(drop)))


def by_id(conn: Connection, drop_id: str) -> Drop | None:
    """Return a drop by its id, or None."""
    return _one(conn, drops.c.id == drop_id)


def by_id_prefix(conn: Connection, prefix: str) -> list[Drop]:
    """Return the drops whose id starts with the text (operators type the first digits)."""
    found = conn.execute(sa.select(drops).where(drops.c.id.startswith(prefix, autoescape=True)).limit(3))
    return [_drop(row) for row in found.mappings()]


def feeds_of(conn: Connection, drop_ids: Sequence[str]) -> dict[str, str]:
    """Return drop id -> name of its feed."""
    if not drop_ids:
        return {}
    chosen = drops.c.id.in_(sa.select(key_set(conn, drop_ids).c.value))
    return dict(conn.execute(sa.select(drops.c.id, drops.c.feed).where(chosen)).all())


def by_result_name(conn: Connection, result_name: str) -> Drop | None:
    """Return the drop whose artefacts carry the name, or None."""
    return _one(conn, drops.c.result_name == result_name)


def listing(
    conn: Connection,
    *,
    limit: int = 50,
    state: DropState | None = None,
    feed: str | None = None,
    stuck: bool | None = None,
) -> list[Drop]:
    """Return the newest drops, newest first, narrowed by what is not None."""
    query = sa.select(drops).order_by(drops.c.seq.desc()).limit(limit)
    for column, wanted in ((drops.c.state, state), (drops.c.feed, feed), (drops.c.stuck, stuck)):
        if wanted is not None:
            query = query.where(column == wanted)
    return [_drop(row) for row in conn.execute(query).mappings()]


def forced_under_way(conn: Connection, blob: str) -> Drop | None:
    """Return a forced drop of the same bytes whose turn is not over, or None."""
    return _one(conn, (drops.c.blob == blob) & drops.c.forced & drops.c.applied_at.is_(None))


def before_in_feed(conn: Connection, drop: Drop) -> Drop | None:
    """Return an earlier drop of the feed whose turn is not over, or None.

    Dry runs, held and stuck drops do not block a feed.
    """
    return _one(
        conn,
        (drops.c.project == drop.project)
        & (drops.c.feed == drop.feed)
        & (drops.c.seq < drop.seq)
        & drops.c.state.in_(_BEFORE_APPLIED)
        & ~drops.c.stuck
        & ~drops.c.dry_run,
    )


def failed_before_in_feed(conn: Connection, drop: Drop) -> Drop | None:
    """Return the feed's previous drop if it ended rejected, held or stuck (for `stop_after_failure`), or None."""
    query = (
        sa.select(drops)
        .where(drops.c.project == drop.project, drops.c.feed == drop.feed, drops.c.seq < drop.seq, ~drops.c.dry_run)
        .order_by(drops.c.seq.desc())
        .limit(1)
    )
    row = conn.execute(query).mappings().first()
    previous = _drop(row) if row else None
    if previous is None or _mended(conn, previous):
        return None
    failed = previous.stuck or previous.state is DropState.HELD or previous.verdict is DropVerdict.REJECTED
    return previous if failed else None


def _mended(conn: Connection, drop: Drop) -> bool:
    """Return whether the repaired rejects of a drop were applied."""
    repaired = (drops.c.parent_id == drop.id) & drops.c.applied_at.is_not(None)
    found = _one(conn, repaired & (drops.c.verdict.is_(None) | drops.c.verdict.in_(_CHANGED)))
    return found is not None


def origin_seq(conn: Connection, drop: Drop) -> int:
    """Return the sequence of the drop that a repaired rejects file began as, over any number of repairs."""
    seq, parent = drop.seq, drop.parent_id
    while parent is not None:
        row = conn.execute(sa.select(drops.c.seq, drops.c.parent_id).where(drops.c.id == parent)).first()
        if row is None:
            break
        seq, parent = row
    return seq


def move(conn: Connection, drop: Drop, to: DropState, **values: Any) -> Drop:
    """Move a drop forward from the state it was read in, and return it as it is now.

    Attempts start anew with each state. Raises `LostTurnError` if it had moved already, or been cancelled.
    """
    return _update(conn, drop, state=to, attempts=0, last_error=None, stuck=False, due_at=None, **values)


def expect(conn: Connection, drop: Drop) -> None:
    """Raise `LostTurnError` if the drop has moved since it was read, or an operator has decided about it."""
    if conn.execute(sa.select(drops.c.id).where(*_as_read(drop))).first() is None:
        raise LostTurnError(f"Drop {drop.id} is no longer {drop.state}, or was decided otherwise.")


def note(conn: Connection, drop: Drop, **values: Any) -> Drop:
    """Change a drop's particulars without moving it; `LostTurnError` if it had moved already."""
    return _update(conn, drop, **values)


def take_back(conn: Connection, drop_id: str) -> None:
    """Forget a drop that was not claimed, and its acknowledgement: its upload goes on. `LostTurnError` if it was."""
    gone = conn.execute(sa.delete(drops).where(drops.c.id == drop_id, drops.c.state == DropState.RECEIVED))
    if gone.rowcount != 1:
        raise LostTurnError(f"Drop {drop_id} was claimed already.")
    conn.execute(sa.delete(artefacts).where(artefacts.c.drop_id == drop_id))


def outstanding(conn: Connection) -> list[tuple[str, datetime | None]]:
    """Return (id, due_at) of every drop that has steps before it and is neither held nor stuck, in close order."""
    query = (
        sa.select(drops.c.id, drops.c.due_at)
        .where(drops.c.state.not_in((DropState.SETTLED, DropState.HELD)), ~drops.c.stuck)
        .order_by(drops.c.seq)
    )
    return [(drop_id, due_at) for drop_id, due_at in conn.execute(query)]


def waiting_behind(conn: Connection, drop: Drop) -> list[str]:
    """Return the ids of the feed's received drops that may have their turn now."""
    query = (
        sa.select(drops.c.id)
        .where(drops.c.project == drop.project, drops.c.feed == drop.feed, drops.c.state == DropState.RECEIVED)
        .order_by(drops.c.seq)
    )
    return list(conn.execute(query).scalars())


def _as_read(drop: Drop) -> tuple[sa.ColumnElement[bool], ...]:
    verdict = None if drop.verdict is None else drop.verdict.value
    return drops.c.id == drop.id, drops.c.state == drop.state, drops.c.verdict.is_not_distinct_from(verdict)


def _update(conn: Connection, drop: Drop, **values: Any) -> Drop:
    statement = sa.update(drops).where(*_as_read(drop)).values(**values)
    if conn.execute(statement).rowcount != 1:
        raise LostTurnError(f"Drop {drop.id} is no longer {drop.state}, or was decided otherwise.")
    moved = by_id(conn, drop.id)
    if moved is None:
        raise LostTurnError(f"Drop {drop.id} is gone.")
    return moved


def _one(conn: Connection, condition: sa.ColumnElement[bool]) -> Drop | None:
    row = conn.execute(sa.select(drops).where(condition).limit(1)).mappings().first()
    return _drop(row) if row else None


def _drop(row: sa.RowMapping) -> Drop:
    values: dict[str, Any] = {str(key): value for key, value in row.items()}
    values["state"] = DropState(values["state"])
    values["verdict"] = values["verdict"] and DropVerdict(values["verdict"])
    return Drop(**values)

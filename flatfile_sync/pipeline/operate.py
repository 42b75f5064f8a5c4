"""What an operator may ask of a drop. Each verb runs inside one write transaction beside the daemon.

    retry    stuck                        -> due again in the state it stands in
    release  HELD                         -> PLANNED
    repeat   ended as `duplicate`         -> a new drop of the same bytes, forced
    cancel   RECEIVED, HELD, or stuck
             before APPLIED               -> verdict `cancelled`; it walks the line and changes nothing more

Nothing is submitted to an engine: the daemon's sweep over the tables finds what became due.
"""

from typing import Final
from uuid import uuid4

from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.drop import LISTED_AFTER, Drop
from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.naming import result_name
from flatfile_sync.domain.states import Decision, DropState, DropVerdict, UploadVerdict
from flatfile_sync.pipeline.ack import commit_ack, write_ack
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import audit, counters, drops, uploads

ACTOR: Final = "operator"
CANCELLED: Final = "cancelled by an operator"
RELEASED: Final = "released by an operator"
FORCED: Final = "forced by an operator"
_SHOWN: Final = 12
_BEFORE_APPLIED: Final = frozenset({DropState.RECEIVED, DropState.CLAIMED, DropState.PLANNED})


def find(conn: Connection, prefix: str) -> Drop:
    """Return the drop whose id starts with the text. Raises `Refused` if there is none, or more than one."""
    found = drops.by_id_prefix(conn, prefix.strip().lower()) if prefix.strip() else []
    if not found:
        raise Refused(f"There is no drop whose id starts with {prefix!r}; `drops list` shows them.")
    if len(found) > 1:
        named = ", ".join(f"{drop.id[:_SHOWN]} ({drop.file_name})" for drop in found)
        raise Refused(f"More than one drop's id starts with {prefix!r}: {named}. Write more digits.")
    return found[0]


def retry(conn: Connection, drop: Drop, *, clock: Clock) -> Drop:
    """Return a stuck drop as due now, its attempts forgotten. Raises `Refused` if it is not stuck."""
    if not drop.stuck:
        raise Refused(f"Drop {drop.id[:_SHOWN]} is {drop.state} and not stuck; there is nothing to retry.")
    freed = drops.note(conn, drop, stuck=False, attempts=0, due_at=clock())
    _audit(conn, "drop_retried", drop, clock, last_error=drop.last_error)
    return freed


def force(conn: Connection, drop: Drop, *, spool: Spool, clock: Clock) -> Drop:
    """Let a held drop go on, or apply a duplicate as a new drop; return the drop that goes on.

    Raises `Refused` for any other drop.
    """
    if drop.state is DropState.HELD:
        return release(conn, drop, spool=spool, clock=clock)
    if drop.verdict is DropVerdict.DUPLICATE:
        return repeat(conn, drop, spool=spool, clock=clock)
    raise Refused(f"Drop {drop.id[:_SHOWN]} is {_standing(drop)}; only a held drop or a duplicate can be forced.")


def release(conn: Connection, drop: Drop, *, spool: Spool, clock: Clock) -> Drop:
    """Return a held drop as PLANNED, with a new acknowledgement."""
    moved = drops.move(conn, drop, DropState.PLANNED, reason=RELEASED)
    commit_ack(conn, write_ack(moved, Decision.QUEUED, why=RELEASED, spool=spool, clock=clock), moved)
    _audit(conn, "drop_released", drop, clock, reason=drop.reason)
    return moved


def repeat(conn: Connection, drop: Drop, *, spool: Spool, clock: Clock) -> Drop:
    """Return a new drop of a duplicate's bytes that no duplicate rule stops, with an acknowledgement of its own.

    Raises `Refused` if the bytes are past their retention, or if such a drop is under way already.
    """
    if not spool.path(drop.blob).is_file():
        raise Refused(f"The bytes of drop {drop.id[:_SHOWN]} are past their retention; the file must be sent again.")
    running = drops.forced_under_way(conn, drop.blob)
    if running is not None:
        raise Refused(f"Drop {drop.id[:_SHOWN]} is forced already: drop {running.id[:_SHOWN]} is {running.state}.")
    now, new_id = clock(), uuid4().hex
    fresh = Drop(
        id=new_id,
        seq=counters.advance(conn, "close_seq"),
        account=drop.account,
        project=drop.project,
        feed=drop.feed,
        upload_id=drop.upload_id,
        file_name=drop.file_name,
        result_name=result_name(drop.file_name, now, new_id),
        blob=drop.blob,
        bytes=drop.bytes,
        sha256=drop.sha256,
        dry_run=drop.dry_run,
        forced=True,
        state=DropState.RECEIVED,
        received_at=now,
        due_at=now,
        summary={"layers": list(drop.layers)} if drop.layers else {},
    )
    drops.insert(conn, fresh)
    commit_ack(conn, write_ack(fresh, Decision.QUEUED, why=FORCED, spool=spool, clock=clock), fresh)
    _audit(conn, "drop_forced", drop, clock, new_drop=new_id)
    return fresh


def cancel(conn: Connection, drop: Drop, *, spool: Spool, clock: Clock) -> Drop:
    """Return the drop with the verdict `cancelled`, due now; chunks that were committed before stay applied.

    Raises `Refused` if a step is at work on it, or if it is past APPLIED or refused already.
    """
    if drop.verdict is not None:
        raise Refused(f"Drop {drop.id[:_SHOWN]} is {_standing(drop)}; there is nothing left to cancel.")
    now = clock()
    told = {"verdict": DropVerdict.CANCELLED, "reason": CANCELLED}
    if drop.state is DropState.HELD:
        cancelled = drops.move(conn, drop, DropState.PLANNED, **told)
    elif drop.state is DropState.RECEIVED or (drop.stuck and drop.state in _BEFORE_APPLIED):
        cancelled = drops.note(conn, drop, stuck=False, attempts=0, due_at=now, **told)
    else:
        raise Refused(
            f"Drop {drop.id[:_SHOWN]} is {_standing(drop)}; only a drop that is RECEIVED, HELD or stuck before "
            "APPLIED can be cancelled."
        )
    if drop.state is DropState.RECEIVED:
        # Claim will say so in the acknowledgement; the client still sees its file for a while.
        uploads.settle(
            conn, drop.upload_id, verdict=UploadVerdict.CANCELLED, reason=CANCELLED, listed_until=now + LISTED_AFTER
        )
    else:
        commit_ack(conn, write_ack(cancelled, Decision.IGNORED, why=CANCELLED, spool=spool, clock=clock), cancelled)
    _audit(conn, "drop_cancelled", drop, clock, state=drop.state.value, reason=drop.reason)
    return cancelled


def _standing(drop: Drop) -> str:
    words = drop.state.value if drop.verdict is None else f"{drop.state.value} ({drop.verdict.value})"
    return f"{words} and stuck" if drop.stuck else words


def _audit(conn: Connection, event: str, drop: Drop, clock: Clock, **details: object) -> None:
    told = {"drop": drop.id, "file": drop.file_name, **details}
    audit.record(conn, at=clock(), actor=ACTOR, event=event, details=told)

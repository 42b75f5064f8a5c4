"""Deliver: what is owed goes out, lane by lane, and every delivery gets its outcome."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults
from flatfile_sync.domain.delivery import Settlement
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.failures import PermanentFailure, TemporaryFailure, trail
from flatfile_sync.domain.states import Outcome, Platform
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline.counting import count
from flatfile_sync.pipeline.gate import NOT_YET
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.packing import Packed, pack
from flatfile_sync.store import attempts, deliveries, lanes, memories, registrations
from flatfile_sync.wallets.platform import Parcel

log = structlog.get_logger()

CONFIRM_AFTER: Final = timedelta(seconds=1)
_CONFIRM_BATCH: Final = 5000
# Seconds: whatever a platform asks for, a delivery is tried once more within its horizon.
_LONGEST_WAIT: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class _Load:
    """One batch taken: what to send, and what settles without being sent. `attempt` is None if nothing is sent."""

    attempt: int | None
    platform: str
    packed: Packed
    drop_ids: set[str]

    @property
    def parcels(self) -> list[Parcel]:
        return self.packed.parcels

    @property
    def settled(self) -> list[Settlement]:
        return self.packed.settled


async def deliver(platform: str, *, kit: Kit) -> None:
    """Send everything that is due on a platform; transactional messages go ahead of any backlog, batch by batch."""
    wallet = kit.platforms[Platform(platform)]
    waiting = False
    left: set[str] = set()
    # One run of a platform at a time: what stands on the wire was left there by a run that failed or died.
    await kit.store.write(lambda conn: deliveries.recover(conn, now=kit.clock(), platform=platform))
    while True:
        load = await kit.store.write(lambda conn: _take(conn, platform, wallet.batch, kit))
        if load is None:
            break
        faults.point("deliver.taken")
        settlements, result, detail = await _send(load, kit=kit, platform=platform)
        faults.point("deliver.sent")
        waiting |= any(found.accepted for found in settlements)
        # A drop is looked at once its deliveries are behind: to count a long one after each batch takes minutes.
        behind, left = left - load.drop_ids, load.drop_ids
        settle = partial(_settle, load=load, settlements=settlements, result=result, detail=detail, kit=kit)
        await kit.store.write(partial(_settle_and_advance, settle=settle, behind=behind, kit=kit))
        faults.point("deliver.settled")
    await kit.store.write(lambda conn: _advance(conn, left, kit))
    await kit.store.write(lambda conn: _ask_again(conn, platform, kit, confirm=waiting))


async def confirm(platform: str, *, kit: Kit) -> None:
    """Ask for outcomes that arrive later; those that never come stand as unconfirmed at the feed's horizon."""
    after: int | None = 0 if kit.platforms[Platform(platform)].answers_later else None
    while after is not None:
        after = await _confirm_page(platform, after, kit=kit)


async def _confirm_page(platform: str, after: int, *, kit: Kit) -> int | None:
    """Ask for the deliveries behind one, and return the last of them, or None if there are no more."""
    pending = await kit.store.read(lambda conn: deliveries.accepted(conn, platform, limit=_CONFIRM_BATCH, after=after))
    if not pending:
        return None
    found = await kit.platforms[Platform(platform)].confirm(pending)
    settled = {entry.delivery_id for entry in found if entry.outcome is not None}

    def note(conn: Connection) -> None:
        deliveries.settle_many(conn, found, now=kit.clock())
        for outcome, many in Counter(entry.outcome for entry in found if entry.outcome is not None).items():
            count(conn, Figure.DELIVERIES, platform, outcome, kit=kit, by=many)
        _advance(conn, {entry.drop_id for entry in pending if entry.drop_id and entry.id in settled}, kit)
        kit.engine.submit(conn, TaskKind.CONFIRM, platform, not_before=kit.clock() + CONFIRM_AFTER)

    if settled:
        await kit.store.write(note)
    return max(entry.id for entry in pending)


def _take(conn: Connection, platform: str, limit: int, kit: Kit) -> _Load | None:
    """Take the next batch, pack it as its passes are now, and note the attempt; what waits for its hours goes back."""
    now = kit.clock()
    taken = lanes.take(conn, platform, limit=limit, now=now)
    if not taken:
        return None
    packed = pack(conn, taken, Platform(platform), kit=kit)
    deliveries.defer_many(conn, packed.deferred, reason=NOT_YET)
    sending = [parcel.delivery.id for parcel in packed.parcels]
    attempt = attempts.begin(conn, platform, sending, epoch=kit.store.epoch or 0, now=now) if sending else None
    return _Load(attempt, platform, packed, {entry.drop_id for entry in taken if entry.drop_id})


async def _send(load: _Load, *, kit: Kit, platform: str) -> tuple[list[Settlement], str, str | None]:
    """Return what became of each parcel, and how the call as a whole ended."""
    if not load.parcels:
        return load.settled, "ok", None
    try:
        answers = await kit.platforms[Platform(platform)].send(load.parcels)
    except TemporaryFailure as failure:
        after = failure.retry_after.total_seconds() if failure.retry_after else 0.0
        return [*load.settled, *_all(load, str(failure), retry_after=after)], "temporary", str(failure)
    except PermanentFailure as failure:
        return [*load.settled, *_all(load, str(failure), outcome=Outcome.FAILED)], "permanent", str(failure)
    except Exception as error:  # noqa: BLE001 - our bug or the adapter's: logged, never shown
        log.error("platform_call_failed", platform=platform, parcels=len(load.parcels), trail=trail(error))  # noqa: TRY400 - see `trail`
        return [*load.settled, *_all(load, "internal error", retry_after=0.0)], "temporary", "internal error"
    asked = {parcel.delivery.id for parcel in load.parcels}
    known = [answer for answer in answers if answer.delivery_id in asked]
    missing = asked.difference(answer.delivery_id for answer in known)
    forgotten = [Settlement(delivery_id=number, retry_after=0.0, reason="no answer") for number in sorted(missing)]
    return [*load.settled, *known, *forgotten], "ok", None


def _all(
    load: _Load, reason: str, *, outcome: Outcome | None = None, retry_after: float | None = None
) -> list[Settlement]:
    return [
        Settlement(delivery_id=parcel.delivery.id, outcome=outcome, retry_after=retry_after, reason=reason)
        for parcel in load.parcels
    ]


def _settle_and_advance(conn: Connection, *, settle: Callable[[Connection], None], behind: set[str], kit: Kit) -> None:
    settle(conn)
    _advance(conn, behind, kit)


def _settle(
    conn: Connection,
    *,
    load: _Load,
    settlements: Sequence[Settlement],
    result: str,
    detail: str | None,
    kit: Kit,
) -> None:
    """Store what became of a batch, and what the platform told besides."""
    now = kit.clock()
    registrations.drop_tokens(conn, [gone for found in settlements for gone in found.gone])
    passes_of = {parcel.delivery.id: parcel.delivery.pass_no for parcel in load.parcels}
    told = {passes_of[found.delivery_id]: found.memory for found in settlements if found.memory is not None}
    memories.keep_many(conn, load.platform, told)
    if load.attempt is not None:
        attempts.end(conn, load.attempt, result=result, detail=detail, now=now)
    final = list(settlements)
    tries = {parcel.delivery.id: parcel.delivery.attempts for parcel in load.parcels}
    for found in settlements:
        if found.outcome is not None or found.accepted or found.halted:
            continue
        floor = timedelta(seconds=min(found.retry_after or 0.0, _LONGEST_WAIT))
        due = kit.sends.next_try(tries[found.delivery_id], now, retry_after=floor)
        if due is None:
            final.append(Settlement(delivery_id=found.delivery_id, outcome=Outcome.FAILED, reason=found.reason))
        else:
            deliveries.put_back(conn, [found.delivery_id], due_at=due, reason=found.reason)
    deliveries.settle_many(conn, final, now=now)
    for outcome, many in Counter(found.outcome for found in final if found.outcome is not None).items():
        count(conn, Figure.DELIVERIES, load.platform, outcome, kit=kit, by=many)


def _advance(conn: Connection, drop_ids: set[str], kit: Kit) -> None:
    """Let drops settle that have nothing open any more."""
    for drop_id in sorted(drop_ids):
        if not deliveries.any_open(conn, drop_id):
            kit.engine.submit(conn, TaskKind.ADVANCE, drop_id)


def _ask_again(conn: Connection, platform: str, kit: Kit, *, confirm: bool) -> None:
    due = lanes.next_due(conn, platform)
    if due is not None:
        kit.engine.submit(conn, TaskKind.DELIVER, platform, not_before=due)
    if confirm and kit.platforms[Platform(platform)].answers_later:
        kit.engine.submit(conn, TaskKind.CONFIRM, platform, not_before=kit.clock() + CONFIRM_AFTER)

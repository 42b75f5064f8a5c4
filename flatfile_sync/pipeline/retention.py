"""What is kept goes in time: rows first, then bytes, so that nothing is ever listed that cannot be read.

A process that dies in between leaves bytes that no row names; they go with the orphans, a day later.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

import structlog
from sqlalchemy.engine import Connection

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Retention
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import bans, consents, links, nonces, retention
from flatfile_sync.store.database import Priority

T = TypeVar("T")

# Younger than this, a file may be on its way to a row: kept by a step that has not committed yet.
ORPHAN_AGE = timedelta(days=1)
# A callback says itself when it expires; this is long after.
NONCES_KEPT = timedelta(days=90)
# Links that ended are listed for a while, so that somebody who asks can be told why one does not work.
LINKS_KEPT = timedelta(days=90)
# No strike counts longer: a setting says minutes.
STRIKES_KEPT = timedelta(days=7)
_BATCH = 500

_log = structlog.get_logger()


@dataclass(slots=True)
class Removed:
    """How many things went."""

    artefacts: int = 0
    uploads: int = 0
    blobs: int = 0
    work_folders: int = 0
    consents: int = 0


async def expire(*, kit: Kit) -> Removed:
    """Remove reports, archived files, exports and abandoned uploads past their project's retention, then what is left.

    Left are blobs and work folders that nobody names, and what people said who were erased longer ago.
    """
    removed, now = Removed(), kit.clock()
    for account, project in (await kit.store.read(retention.projects_of_accounts)).items():
        await _expire_account(account, _kept(project, kit), now, removed, kit)
    await _remove_orphans(now, removed, kit)
    for project in await kit.store.read(consents.projects_of_erased):
        before = now - _kept(project, kit).consents
        removed.consents += await _write(partial(consents.forget_erased, project=project, before=before), kit)
    await _write(partial(nonces.forget, before=now - NONCES_KEPT), kit)
    await _write(partial(links.forget, before=now - LINKS_KEPT), kit)
    await _write(partial(bans.forget, now=now, before=now - STRIKES_KEPT), kit)
    if removed != Removed():
        _log.info(
            "retention_removed",
            artefacts=removed.artefacts,
            uploads=removed.uploads,
            blobs=removed.blobs,
            work_folders=removed.work_folders,
            consents=removed.consents,
        )
    return removed


def _kept(project: str, kit: Kit) -> Retention:
    try:
        return kit.projects.current(project).retention
    except ConfigurationError:
        return Retention()  # the project or its account is gone; what it left goes by the defaults


async def _expire_account(account: str, kept: Retention, now: datetime, removed: Removed, kit: Kit) -> None:
    for zone, age in (("outbox", kept.reports), ("archive", kept.archive), ("exports", kept.exports)):
        take = partial(retention.take_artefacts, account=account, zone=zone, before=now - age, limit=_BATCH)
        while found := await _write(take, kit):
            removed.artefacts += len(found)
            removed.blobs += await _delete_unnamed([row.blob for row in found], now, kit)
    take_abandoned = partial(retention.take_abandoned, account=account, before=now - kept.abandoned, limit=_BATCH)
    while blobs := await _write(take_abandoned, kit):
        removed.uploads += len(blobs)
        removed.blobs += await _delete_unnamed(blobs, now, kit)


async def _remove_orphans(now: datetime, removed: Removed, kit: Kit) -> None:
    stored = iter(await asyncio.to_thread(kit.spool.stored_before, now - ORPHAN_AGE))
    while blobs := list(islice(stored, _BATCH)):
        removed.blobs += await _delete_unnamed(blobs, now, kit)
    drop_ids = await asyncio.to_thread(kit.spool.worked_before, now - ORPHAN_AGE)
    unneeded = await kit.store.read(lambda conn: retention.unneeded_work(conn, drop_ids))
    for drop_id in unneeded:
        await asyncio.to_thread(kit.spool.clear_work, drop_id)
    removed.work_folders += len(unneeded)


async def _delete_unnamed(blobs: Sequence[str], now: datetime, kit: Kit) -> int:
    # A file that was delivered is named by its artefact and its drop; a drop is done with it a day after the end.
    find = partial(retention.unnamed_blobs, blobs=blobs, settled_since=now - ORPHAN_AGE)
    unnamed = await kit.store.read(find)
    for blob in unnamed:
        await asyncio.to_thread(kit.spool.delete, blob)
    return len(unnamed)


async def _write(work: Callable[[Connection], T], kit: Kit) -> T:
    # Housekeeping waits for everything else at the writer.
    return await kit.store.write(work, priority=Priority.CHUNK)

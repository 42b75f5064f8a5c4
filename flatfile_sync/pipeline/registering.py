"""Register: a device holds an Apple pass from now on, or no longer."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.engine import Connection

from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.states import Lane, Platform
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import deliveries, memories, passes, registrations
from flatfile_sync.store.database import Priority

HANDED: Final = "handed"
"""The entry of a pass's memory that says at which revision somebody took it to add it to a wallet."""


async def register(pass_no: int, device: str, push_token: str, *, most: int, kit: Kit) -> bool | None:
    """Note a device or its new push token; return whether it is new, None if there are `most` already."""
    return await kit.store.write(
        lambda conn: _register(conn, pass_no, device, push_token, most=most, kit=kit), priority=Priority.DOOR
    )


async def unregister(pass_no: int, device: str, *, kit: Kit) -> bool:
    """Forget that a device holds a pass; return whether it was known to."""
    return await kit.store.write(
        lambda conn: registrations.remove(conn, device=device, pass_no=pass_no), priority=Priority.DOOR
    )


async def hand_out(pass_revisions: Mapping[int, int], *, kit: Kit) -> None:
    """Remember at which revision passes were taken by somebody who is about to add them."""

    def work(conn: Connection) -> None:
        passes.load_many(conn, sorted(pass_revisions), lock=True)
        known = memories.of_passes(conn, Platform.APPLE.value, sorted(pass_revisions))
        changed = {
            number: known.get(number, {}) | {HANDED: revision}
            for number, revision in pass_revisions.items()
            if known.get(number, {}).get(HANDED) != revision
        }
        memories.keep_many(conn, Platform.APPLE.value, changed)

    await kit.store.write(work, priority=Priority.DOOR)


def _register(conn: Connection, pass_no: int, device: str, push_token: str, *, most: int, kit: Kit) -> bool | None:
    now = kit.clock()
    new = registrations.add(conn, device=device, pass_no=pass_no, push_token=push_token, now=now, most=most)
    handed = memories.of_passes(conn, Platform.APPLE.value, [pass_no]).get(pass_no, {}).get(HANDED) if new else None
    (row,) = passes.load_many(conn, [pass_no])
    if handed is not None and handed < row.revision:
        # It changed between the download and the tap on Add, when nobody had it to be told.
        deliveries.owe_current(
            conn,
            project=row.project,
            pass_no=pass_no,
            platform=Platform.APPLE,
            revision=row.revision,
            lane=Lane.OPERATIONAL,
            now=now,
        )
        kit.engine.submit(conn, TaskKind.DELIVER, Platform.APPLE.value)
    return new

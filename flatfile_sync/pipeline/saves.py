"""Saves: a holder added a pass to Google Wallet, or took it out."""

from datetime import timedelta
from typing import Final

from sqlalchemy.engine import Connection

from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.states import Lane, Platform
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import deliveries, nonces, passes, saves

SAVED: Final = "save"
DELETED: Final = "del"
# Google tells of a save while it is still making the object of a link.
_SETTLING: Final = timedelta(seconds=2)


async def note_save(pass_id: str, event: str, nonce: str, *, kit: Kit) -> bool:
    """Count what a verified callback says of a pass; return whether it was new.

    `event` is `save` or `del`. The nonce and its effect are one transaction, so a callback that is repeated after we
    died in between still counts, and one that is repeated otherwise does not. Of a pass that nobody knows, nothing.
    """
    return await kit.store.write(lambda conn: _note(conn, pass_id, event, nonce, kit))


def _note(conn: Connection, pass_id: str, event: str, nonce: str, kit: Kit) -> bool:
    now = kit.clock()
    if not nonces.take(conn, nonce, now=now):
        return False
    row = passes.by_id(conn, pass_id)
    if row is None:
        return False
    # Several holders may save one object, and one of them taking it out leaves the others.
    saves.count(conn, row.no, 1 if event == SAVED else -1)
    if event == SAVED:
        # What changed since the link was made, when nobody had the pass, was owed to nobody.
        deliveries.owe_current(
            conn,
            project=row.project,
            pass_no=row.no,
            platform=Platform.GOOGLE,
            revision=row.revision,
            lane=Lane.OPERATIONAL,
            now=now + _SETTLING,
        )
        kit.engine.submit(conn, TaskKind.DELIVER, Platform.GOOGLE.value, not_before=now + _SETTLING)
    return True

"""Every file of a project that is kept for a while: what partners sent, and what they were sent."""

from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.states import DropState, UploadVerdict
from flatfile_sync.store.tables import accounts, artefacts, drops, uploads

UNDER_WAY: Final = "under way"
ABANDONED: Final = "abandoned"


class Holding(NamedTuple):
    """A file and where it belongs: the zone of an artefact, `UNDER_WAY` or `ABANDONED`; `since` is when it came."""

    account: str
    zone: str
    name: str
    blob: str
    since: datetime


def of_project(conn: Connection, project: str) -> list[Holding]:
    """Return the files of a project's accounts and drops."""
    ours = sa.select(accounts.c.name).where(accounts.c.project == project)
    made = sa.select(
        artefacts.c.account, artefacts.c.zone, artefacts.c.name, artefacts.c.blob, artefacts.c.created_at
    ).where(artefacts.c.account.in_(ours))
    coming = sa.select(
        drops.c.account, sa.literal(UNDER_WAY), drops.c.file_name, drops.c.blob, drops.c.received_at
    ).where(drops.c.project == project, drops.c.state != DropState.SETTLED)
    broken = sa.select(
        uploads.c.account, sa.literal(ABANDONED), uploads.c.name, uploads.c.blob, uploads.c.opened_at
    ).where(uploads.c.account.in_(ours), uploads.c.verdict == UploadVerdict.ABANDONED)
    return sorted(Holding._make(row) for query in (made, coming, broken) for row in conn.execute(query))

"""Numbers for whoever watches: counted in the database, so that every process and every start agree."""

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.states import DeliveryState, UploadState
from flatfile_sync.store.tables import deliveries, drops, passes, uploads
from flatfile_sync.store.wallet_tables import circuits, registrations


class Figures(NamedTuple):
    """How many of what there are at this moment."""

    drops: dict[tuple[str, ...], float]
    stuck: int
    open_deliveries: dict[tuple[str, ...], float]
    open_uploads: int
    passes: int
    registrations: int
    circuits: list[str]


def look(conn: Connection) -> Figures:
    """Return the numbers of one snapshot; a backlog of a million deliveries is counted in its index."""
    open_ones = deliveries.c.state != DeliveryState.SETTLED
    owed = sa.select(deliveries.c.platform, deliveries.c.state, sa.func.count()).where(open_ones)
    return Figures(
        drops={
            (state,): count
            for state, count in conn.execute(sa.select(drops.c.state, sa.func.count()).group_by(drops.c.state))
        },
        stuck=_count(conn, drops, drops.c.stuck),
        open_deliveries={
            (platform, state): count
            for platform, state, count in conn.execute(owed.group_by(deliveries.c.platform, deliveries.c.state))
        },
        open_uploads=_count(conn, uploads, uploads.c.state == UploadState.WRITING),
        passes=_count(conn, passes),
        registrations=_count(conn, registrations),
        circuits=list(conn.execute(sa.select(circuits.c.name).order_by(circuits.c.name)).scalars()),
    )


def _count(conn: Connection, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
    return int(conn.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one())

"""Which deliveries go next: lane by lane, fair to the projects within one, the oldest first.

Each step is a step in one index (`ix_deliveries_open`), so that what it costs does not depend on the backlog.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.delivery import Delivery
from flatfile_sync.domain.states import DeliveryState, Lane, Outcome
from flatfile_sync.store.deliveries import MESSAGE, OPEN, load_many
from flatfile_sync.store.dialects import key_set
from flatfile_sync.store.tables import deliveries


def take(conn: Connection, platform: str, *, limit: int, now: datetime) -> list[Delivery]:
    """Move due deliveries of the first lane that has any to `sending` and return them, oldest first.

    Projects share what is taken evenly, so that no backlog of one keeps another waiting. Messages that expired while
    they waited settle as `expired` instead.
    """
    conn.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.platform == platform,
            MESSAGE,
            OPEN,
            deliveries.c.expires_at <= now,
            deliveries.c.state == DeliveryState.DUE,
        )
        .values(state=DeliveryState.SETTLED, outcome=Outcome.EXPIRED, settled_at=now)
    )
    ids: list[int] = []
    for lane in Lane:
        ids = _share(conn, _waiting(platform, lane), limit, now)
        if ids:
            break
    if not ids:
        return []
    conn.execute(
        sa.update(deliveries)
        .where(deliveries.c.id.in_(sa.select(key_set(conn, ids).c.value)))
        .values(state=DeliveryState.SENDING, attempts=deliveries.c.attempts + 1)
    )
    return load_many(conn, ids)


def _waiting(platform: str, lane: Lane) -> sa.ColumnElement[bool]:
    column = deliveries.c
    return (column.platform == platform) & (column.state == DeliveryState.DUE) & OPEN & (column.lane == lane)


def _share(conn: Connection, waiting: sa.ColumnElement[bool], limit: int, now: datetime) -> list[int]:
    """Return at most `limit` due deliveries of a lane, an equal number of each project as far as it has them."""
    hungry = _projects(conn, waiting)
    if len(hungry) > limit:
        # Not enough for everybody: whoever has waited longest goes first.
        oldest = {name: _earliest(conn, waiting, name) for name in hungry}
        hungry = sorted(hungry, key=lambda name: oldest[name] or now)
    taken: dict[str, list[int]] = {}
    left = limit
    while hungry and left:
        each, still_hungry = -(-left // len(hungry)), []
        for name in hungry:
            had, room = len(taken.get(name, ())), min(each, left)
            taken[name] = _oldest(conn, waiting, name, had + room, now)
            left -= len(taken[name]) - had
            if len(taken[name]) == had + room:
                still_hungry.append(name)
            if not left:
                break
        hungry = still_hungry
    return [number for ids in taken.values() for number in ids]


def _oldest(conn: Connection, waiting: sa.ColumnElement[bool], project: str, limit: int, now: datetime) -> list[int]:
    return list(
        conn.execute(
            sa.select(deliveries.c.id)
            .where(waiting, deliveries.c.project == project, deliveries.c.due_at <= now)
            .order_by(deliveries.c.due_at, deliveries.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).scalars()
    )


def _earliest(conn: Connection, waiting: sa.ColumnElement[bool], project: str) -> datetime | None:
    query = sa.select(sa.func.min(deliveries.c.due_at)).where(waiting, deliveries.c.project == project)
    return conn.execute(query).scalar_one_or_none()


def _projects(conn: Connection, waiting: sa.ColumnElement[bool]) -> list[str]:
    """Return the projects that have something waiting, each found by one step in the index, however much it is."""
    names: list[str] = []
    beyond: sa.ColumnElement[bool] = sa.true()
    while True:
        name = conn.execute(sa.select(sa.func.min(deliveries.c.project)).where(waiting, beyond)).scalar_one()
        if name is None:
            return names
        names.append(name)
        beyond = deliveries.c.project > name


def next_due(conn: Connection, platform: str) -> datetime | None:
    """Return when the platform's earliest waiting delivery is due, or None."""
    earliest = [
        _earliest(conn, waiting, name)
        for waiting in (_waiting(platform, lane) for lane in Lane)
        for name in _projects(conn, waiting)
    ]
    return min((moment for moment in earliest if moment is not None), default=None)


def standing_before(conn: Connection, drop_id: str) -> dict[str, int]:
    """Return how many deliveries go out until the last of a drop has gone, its own included, by platform."""
    table = deliveries.c
    last = sa.select(table.platform, sa.func.max(table.lane)).where(table.drop_id == drop_id).group_by(table.platform)
    found = {}
    for platform, lane in conn.execute(last):
        before = (table.platform == platform) & (table.state == DeliveryState.DUE) & OPEN & (table.lane <= lane)
        found[platform] = int(conn.execute(sa.select(sa.func.count()).where(before)).scalar_one())
    return found

"""Deliveries: owed by an apply, taken by a sender (see `lanes`), settled once.

An update names the state it expects, so a result that comes for an overtaken delivery changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.states import DeliveryKind, DeliveryState, Lane, Outcome, Platform, Purpose
from flatfile_sync.store.dialects import insert_alike, insert_many, is_sqlite, join_outwards, key_set
from flatfile_sync.store.tables import deliveries, micros, passes

_OWED = ("project", "pass_no", "platform", "revision", "lane", "drop_id", "record", "due_at")
_CONTENT = ("pass_no", "platform", "revision", "record")
# Written out, so that SQLite sees that a partial index has the rows (https://sqlite.org/partialindex.html, section 3).
OPEN = deliveries.c.state != sa.literal_column(f"'{DeliveryState.SETTLED.value}'")
_CONTENT_KIND = deliveries.c.kind == sa.literal_column(f"'{DeliveryKind.CONTENT.value}'")
MESSAGE = deliveries.c.kind == sa.literal_column(f"'{DeliveryKind.MESSAGE.value}'")
# Two comparisons, since an executemany cannot expand a list.
_ON_THE_WIRE = (deliveries.c.state == DeliveryState.SENDING) | (deliveries.c.state == DeliveryState.ACCEPTED)

ContentRow = tuple[int, str, int, int]
"""(pass number, platform, revision, record)."""
MessageRow = tuple[str, int, str, int, int, str, int, int, str, str, int | None]
"""(project, pass number, platform, revision, lane, drop id, record, due at, texts as JSON, purpose, expires at), times
in microseconds."""


def overtake(conn: Connection, platform: str, pass_nos: Sequence[int], *, now: datetime) -> dict[int, Lane]:
    """Settle a platform's open content deliveries of passes: a newer revision is about to be owed.

    Return pass number -> lane of what was open: what takes its place must not wait longer.
    """
    if not pass_nos:
        return {}
    keys = key_set(conn, pass_nos)
    statement = (
        sa.update(deliveries)
        .where(
            _CONTENT_KIND,
            deliveries.c.platform == platform,
            OPEN,
            deliveries.c.pass_no.in_(sa.select(keys.c.value)),
        )
        .values(state=DeliveryState.SETTLED, outcome=Outcome.OVERTAKEN, settled_at=now, reason="a newer revision")
        .returning(deliveries.c.pass_no, deliveries.c.lane)
    )
    return {number: Lane(lane) for number, lane in conn.execute(statement)}


def owe_content(
    conn: Connection, rows: Sequence[ContentRow], *, project: str, lane: Lane, drop_id: str | None, due_at: int
) -> None:
    """Owe each pass's content at a revision; `due_at` in microseconds."""
    shared = {
        "project": project,
        "lane": lane.value,
        "drop_id": drop_id,
        "due_at": due_at,
        "kind": DeliveryKind.CONTENT.value,
        "state": DeliveryState.DUE.value,
        "attempts": 0,
    }
    insert_alike(conn, deliveries, _CONTENT, rows, shared)


def owe_latest(
    conn: Connection, rows: Sequence[ContentRow], *, project: str, lane: Lane, drop_id: str | None, now: datetime
) -> None:
    """Owe each pass's content; what is still open of these passes on the same platforms is overtaken.

    What takes the place of something urgent is as urgent: a bulk refresh behind a gate change must not slow it down.
    """
    urgent: dict[tuple[int, str], Lane] = {}
    for platform in sorted({platform for _, platform, *_ in rows}):
        numbers = sorted({number for number, name, *_ in rows if name == platform})
        before = overtake(conn, platform, numbers, now=now)
        urgent |= {(number, platform): found for number, found in before.items() if found < lane}
    for own in sorted({lane, *urgent.values()}):
        alike = [row for row in rows if urgent.get(row[:2], lane) == own] if urgent else rows
        if alike:
            owe_content(conn, alike, project=project, lane=own, drop_id=drop_id, due_at=micros(now))


def owe_current(
    conn: Connection, *, project: str, pass_no: int, platform: str, revision: int, lane: Lane, now: datetime
) -> bool:
    """Owe a pass's content for a reason other than a drop; return whether none was owed already."""
    insert = (sqlite if is_sqlite(conn) else postgresql).insert(deliveries)
    statement = insert.values(
        project=project,
        pass_no=pass_no,
        platform=platform,
        revision=revision,
        lane=lane,
        kind=DeliveryKind.CONTENT,
        state=DeliveryState.DUE,
        attempts=0,
        due_at=now,
    )
    # What is open already will carry the content as it is then.
    return conn.execute(statement.on_conflict_do_nothing().returning(deliveries.c.id)).first() is not None


def owe_messages(conn: Connection, rows: Iterable[MessageRow]) -> None:
    """Owe one message each."""
    columns = (*_OWED, "texts", "purpose", "expires_at", "kind", "state", "attempts")
    tail = (DeliveryKind.MESSAGE.value, DeliveryState.DUE.value, 0)
    insert_many(conn, deliveries, columns, ((*row, *tail) for row in rows))


def accepted(conn: Connection, platform: str, *, limit: int, after: int = 0) -> list[Delivery]:
    """Return deliveries whose outcome is still to come, by number, from behind `after` on."""
    query = (
        sa.select(deliveries.c.id)
        .where(
            deliveries.c.platform == platform,
            deliveries.c.state == DeliveryState.ACCEPTED,
            deliveries.c.id > after,
        )
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    return load_many(conn, list(conn.execute(query).scalars()))


def fetched(
    conn: Connection, platform: str, seen: Sequence[tuple[int, int]], *, now: datetime
) -> list[tuple[int, str | None]]:
    """Settle what the platform took of passes that a device has since fetched; return (pass number, drop id) of each.

    `seen` are (pass number, revision) that was handed out: a newer one is still to come.
    """
    table = deliveries.c
    keys = key_set(conn, [number for number, _ in seen], kind=int)
    # Each kind has an index of its own over what is open.
    taken: list[Any] = []
    for kind in DeliveryKind:
        query = join_outwards(conn, keys, deliveries, table.pass_no == keys.c.value)
        chosen = (table.platform == platform) & (table.kind == kind) & OPEN & (table.state == DeliveryState.ACCEPTED)
        taken += conn.execute(query.where(chosen).add_columns(table.id, table.pass_no, table.revision, table.drop_id))
    revisions = dict(seen)
    arrived = [row for row in taken if row.revision <= revisions[row.pass_no]]
    if arrived:
        numbers = sa.select(key_set(conn, [row.id for row in arrived]).c.value)
        values = {"state": DeliveryState.SETTLED, "outcome": Outcome.FETCHED, "settled_at": now}
        arriving = table.id.in_(numbers) & (table.state == DeliveryState.ACCEPTED)
        conn.execute(sa.update(deliveries).where(arriving).values(**values))
    return [(row.pass_no, row.drop_id) for row in arrived]


def settle_many(conn: Connection, settlements: Sequence[Settlement], *, now: datetime) -> None:
    """Record outcomes, acceptances and halts of deliveries that are on the wire."""
    for values, chosen in (
        ({"state": DeliveryState.ACCEPTED}, [s for s in settlements if s.accepted and s.outcome is None]),
        ({"state": DeliveryState.HALTED}, [s for s in settlements if s.halted and s.outcome is None]),
        ({"state": DeliveryState.SETTLED, "settled_at": now}, [s for s in settlements if s.outcome is not None]),
    ):
        if not chosen:
            continue
        marks: dict[str, Any] = {"reason": sa.bindparam("new_reason")}
        if "settled_at" in values:
            marks["outcome"] = sa.bindparam("new_outcome")
        statement = (
            sa.update(deliveries)
            .where(deliveries.c.id == sa.bindparam("which"), _ON_THE_WIRE)
            .values(**values, **marks)
        )
        rows = [{"which": s.delivery_id, "new_reason": s.reason or None, "new_outcome": s.outcome} for s in chosen]
        if "outcome" not in marks:
            for row in rows:
                del row["new_outcome"]
        conn.execute(statement, rows)


def put_back(conn: Connection, ids: Sequence[int], *, due_at: datetime, reason: str) -> None:
    """Make deliveries due again after a failure that may pass."""
    if ids:
        conn.execute(
            sa.update(deliveries)
            .where(
                deliveries.c.id.in_(sa.select(key_set(conn, ids).c.value)),
                deliveries.c.state == DeliveryState.SENDING,
            )
            .values(state=DeliveryState.DUE, due_at=due_at, reason=reason)
        )


def defer_many(conn: Connection, rows: Sequence[tuple[int, datetime]], *, reason: str) -> None:
    """Let deliveries wait until a moment each, as if they had not been taken: that costs no attempt."""
    if not rows:
        return
    statement = (
        sa.update(deliveries)
        .where(deliveries.c.id == sa.bindparam("which"), deliveries.c.state == DeliveryState.SENDING)
        .values(
            state=DeliveryState.DUE,
            due_at=sa.bindparam("opens_at"),
            attempts=deliveries.c.attempts - 1,
            reason=reason,
        )
    )
    conn.execute(statement, [{"which": number, "opens_at": moment} for number, moment in rows])


def look_at_passes(conn: Connection, ids: Sequence[int]) -> None:
    """Let deliveries want the revision that their passes have by now: it is the one that carries their message."""
    if ids:
        revision = sa.select(passes.c.revision).where(passes.c.no == deliveries.c.pass_no).scalar_subquery()
        chosen = deliveries.c.id.in_(sa.select(key_set(conn, ids).c.value))
        conn.execute(sa.update(deliveries).where(chosen).values(revision=revision))


def overtake_messages(conn: Connection, platform: str, pass_nos: Sequence[int], *, now: datetime) -> None:
    """Settle the messages of passes that a platform took and no device has fetched: a newer one takes their place."""
    if not pass_nos:
        return
    # From the passes outwards: what a platform took and nobody has fetched yet may be a whole export.
    keys, table = key_set(conn, pass_nos), deliveries.c
    query = join_outwards(conn, keys, deliveries, table.pass_no == keys.c.value).add_columns(table.id)
    taken = (table.platform == platform) & (table.state == DeliveryState.ACCEPTED) & MESSAGE & OPEN
    ids = list(conn.execute(query.where(taken)).scalars())
    if ids:
        values = {"state": DeliveryState.SETTLED, "outcome": Outcome.OVERTAKEN, "settled_at": now}
        chosen = table.id.in_(sa.select(key_set(conn, ids).c.value)) & (table.state == DeliveryState.ACCEPTED)
        conn.execute(sa.update(deliveries).where(chosen).values(**values, reason="a newer message"))


def recover(conn: Connection, *, now: datetime, platform: str | None = None) -> int:
    """Make due what an earlier run left on the wire: what became of it is unknown, so it goes again, same id."""
    statement = sa.update(deliveries).where(deliveries.c.state == DeliveryState.SENDING)
    if platform is not None:
        statement = statement.where(deliveries.c.platform == platform)
    return conn.execute(statement.values(state=DeliveryState.DUE, due_at=now, reason="unknown")).rowcount


def open_count(conn: Connection, drop_id: str) -> int:
    """Return how many deliveries of a drop have no outcome yet."""
    query = sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.drop_id == drop_id, OPEN)
    return int(conn.execute(query).scalar_one())


def any_open(conn: Connection, drop_id: str) -> bool:
    """Return whether a drop has a delivery without an outcome; does not count them."""
    query = sa.select(deliveries.c.id).where(deliveries.c.drop_id == drop_id, OPEN).limit(1)
    return conn.execute(query).first() is not None


def outstanding(conn: Connection) -> list[tuple[str, str]]:
    """Return each (platform, state) that has open deliveries a worker can do something about."""
    found = []
    for platform in Platform:
        for state in (DeliveryState.DUE, DeliveryState.SENDING, DeliveryState.ACCEPTED):
            query = sa.select(deliveries.c.id).where(
                deliveries.c.platform == platform, deliveries.c.state == state, OPEN
            )
            if conn.execute(query.limit(1)).first() is not None:
                found.append((platform.value, state.value))
    return found


def owed_by(conn: Connection, drop_id: str) -> dict[str, int]:
    """Return how many deliveries a drop owed, by platform."""
    # Not GROUP BY, for which SQLite would first sort millions of rows in memory.
    counts = [sa.func.count().filter(deliveries.c.platform == platform) for platform in Platform]
    row = conn.execute(sa.select(*counts).where(deliveries.c.drop_id == drop_id)).one()
    return {platform.value: int(count) for platform, count in zip(Platform, row, strict=True) if count}


class Tally(NamedTuple):
    """How many deliveries of a drop stand alike."""

    platform: str
    kind: str
    state: str
    outcome: str | None
    deliveries: int


def tally(conn: Connection, drop_id: str) -> list[Tally]:
    """Return how a drop's deliveries stand, counted, sorted by platform, kind and state."""
    alike = [deliveries.c[name] for name in Tally._fields[:4]]
    query = sa.select(*alike, sa.func.count()).where(deliveries.c.drop_id == drop_id).group_by(*alike)
    return sorted((Tally._make(row) for row in conn.execute(query)), key=str)


class Standing(NamedTuple):
    """How a delivery of a drop stands, for its report."""

    pass_no: int
    platform: str
    kind: str
    record: int
    state: str
    outcome: str | None
    attempts: int
    settled_at: datetime | None
    reason: str | None


def of_drop(conn: Connection, drop_id: str, pass_nos: Sequence[int]) -> list[Standing]:
    """Return a drop's deliveries to these passes."""
    if not pass_nos:
        return []
    columns = [deliveries.c[name] for name in Standing._fields]
    query = sa.select(*columns).where(
        deliveries.c.drop_id == drop_id, deliveries.c.pass_no.in_(sa.select(key_set(conn, pass_nos).c.value))
    )
    return [Standing._make(row) for row in conn.execute(query)]


def load_many(conn: Connection, ids: Sequence[int]) -> list[Delivery]:
    """Return deliveries, the one that is due first before the others; those of passes that are gone are left out."""
    if not ids:
        return []
    keys = key_set(conn, ids)
    query = join_outwards(conn, keys, deliveries, deliveries.c.id == keys.c.value).add_columns(*deliveries.c)
    rows = [dict(row) for row in conn.execute(query.order_by(deliveries.c.due_at, deliveries.c.id)).mappings()]
    numbers = key_set(conn, sorted({row["pass_no"] for row in rows}), name="numbers")
    owners = join_outwards(conn, numbers, passes, passes.c.no == numbers.c.value)
    known = {
        no: (pass_id, kind)
        for no, pass_id, kind in conn.execute(owners.add_columns(passes.c.no, passes.c.id, passes.c.pass_type))
    }
    return [
        Delivery(
            id=row["id"],
            project=row["project"],
            pass_no=row["pass_no"],
            pass_id=known[row["pass_no"]][0],
            pass_type=known[row["pass_no"]][1],
            platform=Platform(row["platform"]),
            kind=DeliveryKind(row["kind"]),
            revision=row["revision"],
            lane=Lane(row["lane"]),
            drop_id=row["drop_id"],
            record=row["record"],
            state=DeliveryState(row["state"]),
            attempts=row["attempts"],
            due_at=row["due_at"],
            **_texts(row["texts"]),
            purpose=Purpose(row["purpose"]) if row["purpose"] else None,
            expires_at=row["expires_at"],
        )
        for row in rows
        if row["pass_no"] in known
    ]


def _texts(stored: str | None) -> dict[str, Any]:
    """Return the texts of a message, and the one to fall back on."""
    if stored is None:
        return {}
    texts: dict[str, str] = orjson.loads(stored)
    return {"texts": texts, "text": texts.get("") or next(iter(texts.values()), "")}

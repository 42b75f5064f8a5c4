"""Messages of a chunk, when it is applied: which are owed, from when on, and the word the result has for each.

What is decided here is looked at again at the moment of sending, see `gate`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy.engine import Connection

from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.project import Feed, Notifications, Project
from flatfile_sync.domain.states import Lane, Notice, Platform, Purpose
from flatfile_sync.domain.windows import Hush, zone_of
from flatfile_sync.pipeline.merging import Order
from flatfile_sync.pipeline.subjects import subjects_of
from flatfile_sync.store import consents, deliveries, notices, passes
from flatfile_sync.store.passes import PassRow
from flatfile_sync.store.tables import micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Decided:
    """By record: the words of messages that are not simply queued, and when those that wait are due (microseconds)."""

    notices: Mapping[int, Notice] = field(default_factory=dict)
    due: Mapping[int, int] = field(default_factory=dict)


def decide(
    conn: Connection,
    orders: Sequence[Order],
    told: Sequence[consents.ConsentRow],
    stored: Mapping[int, Sequence[Any]],
    *,
    project: Project,
    feed: Feed,
    now: datetime,
) -> Decided:
    """Return what becomes of the messages of a chunk, whose passes are `stored` and which itself says `told`."""
    asking = [order for order in orders if order.extra.get("messages")]
    if not asking:
        return Decided()
    unwanted = _unwanted(conn, asking, told, project)
    words = dict.fromkeys(unwanted, Notice.NO_CONSENT)
    due: dict[int, int] = {}
    limited = [order for order in asking if feed.notifications.restricts(purpose_of(order))]
    cap = feed.notifications.cap
    sent = notices.of_passes(conn, sorted({order.pass_no for order in limited})) if cap else {}
    for order in asking:
        earliest = _moment(_told(order).get("not_before"))
        wanted = max(now, earliest) if earliest else now
        opens: datetime | None = wanted
        if feed.notifications.restricts(purpose_of(order)):
            zone = zone_named(feed.notifications, _document(order, stored, feed), project)
            opens = opening(feed.notifications.hours, wanted, zone)
        if order.record not in words and opens != wanted:
            words[order.record] = Notice.QUIET_HOURS
        # One whose hours never come waits where it is until it expires.
        due[order.record] = micros(opens or wanted + timedelta(days=1))
        if cap and order in limited and order.record not in unwanted:
            before = list(sent.get(order.pass_no, {}).values())
            if cap.reached(before, _EPOCH + timedelta(microseconds=due[order.record])):
                words[order.record] = Notice.BUDGET
    return Decided(words, due)


def owe(
    conn: Connection,
    owing: Sequence[tuple[int, Order]],
    due: Mapping[int, int],
    *,
    drop: Drop,
    project: Project,
    now: datetime,
) -> None:
    """Owe messages of (pass number, order) on each platform where somebody holds the pass."""
    if not owing:
        return
    stored = {row.no: row for row in passes.load_many(conn, sorted({number for number, _ in owing}))}
    offered = {kind.name: kind.platforms for kind in project.pass_types}
    rows: list[deliveries.MessageRow] = []
    for number, order in owing:
        purpose = purpose_of(order)
        lane = Lane.MARKETING if purpose is Purpose.MARKETING else Lane.TRANSACTIONAL
        texts = orjson.dumps(order.extra["messages"]).decode()
        until = _moment(_told(order).get("expires_at"))
        row = stored[number]
        for platform, installed in ((Platform.APPLE, row.apple), (Platform.GOOGLE, row.google)):
            if installed and platform in offered.get(row.pass_type, ()):
                at = due.get(order.record, micros(now))
                owed = (drop.project, number, platform.value, row.revision, int(lane), drop.id, order.record, at)
                rows.append((*owed, texts, purpose.value, micros(until) if until else None))
    deliveries.owe_messages(conn, rows)


def purpose_of(order: Order) -> Purpose:
    """Return why a record notifies; the feed's own purpose stands in its orders already."""
    return Purpose(_told(order).get("purpose") or Purpose.TRANSACTIONAL)


def zone_named(policy: Notifications, document: Mapping[str, Any], project: Project) -> ZoneInfo:
    """Return the holder's zone, where the feed names a field that has one, else the project's."""
    return zone_of(document.get(policy.timezone) if policy.timezone else None, project.timezone)


@lru_cache(maxsize=4096)  # the holders of a campaign live in few zones
def opening(hours: Hush, moment: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first moment from the given one on at which a message may go, or None; see `Hush.opening`."""
    return hours.opening(moment, zone)


def _unwanted(
    conn: Connection, asking: Sequence[Order], told: Sequence[consents.ConsentRow], project: Project
) -> frozenset[int]:
    """Return the records whose marketing message has no opt-in that holds, after what this chunk itself says."""
    asking = [order for order in asking if purpose_of(order) is Purpose.MARKETING]
    if not asking:
        return frozenset()
    subjects = subjects_of(conn, [(order.pass_no, order.pass_id or "") for order in asking], project)
    purpose = Purpose.MARKETING.value
    said = consents.granted(conn, project.name, sorted(set(subjects.values())), purpose, besides=told)
    return frozenset(order.record for order in asking if not said.get(subjects[order.pass_no], False))


def _told(order: Order) -> Mapping[str, Any]:
    found: Mapping[str, Any] = order.extra.get("notification", {})
    return found


def _document(order: Order, stored: Mapping[int, Sequence[Any]], feed: Feed) -> Mapping[str, Any]:
    """Return what is known of the holder's zone: what the record says of it, else what its pass does."""
    key = feed.notifications.timezone
    if key is None or order.patch.get(key) is not None or order.pass_no not in stored:
        return order.patch
    document: Mapping[str, Any] = orjson.loads(PassRow._make(stored[order.pass_no]).document)
    return document


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

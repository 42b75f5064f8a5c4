"""What stands between a message that was taken and its sending: its hours, its cap, its place in the pass.

A message becomes the one that its pass carries here and nowhere else, in the transaction that took it: one that is
withheld, waits or has expired never gets into a pass. A pass carries one message, so on Apple Wallet the newest one
overtakes those that no device has fetched yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy.engine import Connection

from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.project import Notifications, Project
from flatfile_sync.domain.states import Outcome, Platform
from flatfile_sync.pipeline.messages import opening, zone_named
from flatfile_sync.store import carried, deliveries, drops, notices, passes
from flatfile_sync.store.carried import Carried
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.passes import PassRow
from flatfile_sync.store.tables import micros

NOT_YET = "its hours have not begun"
TOO_LATE = "it expires before its hours begin"
CARRIED_ALREADY = "the pass carries this text already"
NEWER = "a newer message"


@dataclass(slots=True)
class Gated:
    """What became of messages: those to send, those that settle unsent, those that wait until a moment."""

    through: list[Delivery] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    deferred: list[tuple[int, datetime]] = field(default_factory=list)


def gate(
    conn: Connection,
    asking: Sequence[Delivery],
    rows: Mapping[int, PassRow],
    projects: Mapping[str, Project],
    *,
    platform: Platform,
    now: datetime,
) -> Gated:
    """Return what becomes of messages that were taken and agreed to; `rows` are their passes by number."""
    if not asking:
        return Gated()
    feeds = drops.feeds_of(conn, sorted({entry.drop_id for entry in asking if entry.drop_id}))
    work = _Gate(rows, projects, feeds, platform, now)
    timely = [entry for entry in asking if work.in_time(entry)]
    work.carry(conn, work.within_cap(conn, timely))
    return work.gated


@dataclass(slots=True)
class _Gate:
    """What the checks lean on, and what they found; `feeds` is drop -> feed."""

    rows: Mapping[int, PassRow]
    projects: Mapping[str, Project]
    feeds: Mapping[str, str]
    platform: Platform
    now: datetime
    gated: Gated = field(default_factory=Gated)

    def policy(self, entry: Delivery) -> Notifications:
        """Return how a message may go, as its feed says today."""
        project = self.projects.get(entry.project)
        feed = project.feed(self.feeds.get(entry.drop_id or "", "")) if project is not None else None
        return feed.notifications if feed is not None else Notifications()

    def in_time(self, entry: Delivery) -> bool:
        """Return whether a message may go now; if not, note until when it waits, or that it never goes."""
        policy = self.policy(entry)
        if entry.purpose is None or policy.hours.always or not policy.restricts(entry.purpose):
            return True
        document = orjson.loads(self.rows[entry.pass_no].document)
        opens = opening(policy.hours, self.now, zone_named(policy, document, self.projects[entry.project]))
        if opens == self.now:
            return True
        if opens is None or (entry.expires_at is not None and opens >= entry.expires_at):
            self._settle(entry, Outcome.EXPIRED, TOO_LATE)
        else:
            self.gated.deferred.append((entry.id, opens))
        return False

    def within_cap(self, conn: Connection, timely: Sequence[Delivery]) -> list[Delivery]:
        """Return the messages that no cap forbids, and count them: each once, on however many platforms."""
        caps = [feed.notifications.cap for project in self.projects.values() for feed in project.feeds]
        longest = max((cap.within for cap in caps if cap is not None), default=None)
        limited = {entry.id for entry in timely if entry.purpose and self.policy(entry).restricts(entry.purpose)}
        if longest is None or not limited:
            return list(timely)
        sent = notices.of_passes(conn, sorted({entry.pass_no for entry in timely if entry.id in limited}))
        through: list[Delivery] = []
        fresh: list[tuple[int, str]] = []
        for entry in timely:
            known, cap = sent[entry.pass_no], self.policy(entry).cap
            if entry.id in limited and entry.message not in known:
                if cap is not None and cap.reached(list(known.values()), self.now):
                    self._settle(entry, Outcome.BUDGET)
                    continue
                known[entry.message] = self.now
                fresh.append((entry.pass_no, entry.message))
            through.append(entry)
        notices.note_many(conn, fresh, now=self.now, keep_from=self.now - longest)
        return through

    def carry(self, conn: Connection, asking: Sequence[Delivery]) -> None:
        """Let each pass carry its message, as a change that its devices see; Google carries where no device does."""
        current = carried.of_passes(conn, sorted({entry.pass_no for entry in asking}))
        last = {entry.pass_no: entry.id for entry in asking}
        fresh: dict[int, Carried] = {}
        apple = self.platform is Platform.APPLE
        for entry in asking:
            known = current.get(entry.pass_no)
            if known is None or known.key != entry.message:
                if apple and (last[entry.pass_no] != entry.id or entry.attempts > 1):
                    self._settle(entry, Outcome.OVERTAKEN, NEWER)
                    continue
                if known is not None and known.texts == entry.texts and not self.policy(entry).repeat:
                    self._settle(entry, Outcome.SENT, CARRIED_ALREADY)
                    continue
                if apple or not self.rows[entry.pass_no].apple:
                    number = known.number + 1 if known is not None else 1
                    fresh[entry.pass_no] = current[entry.pass_no] = Carried(dict(entry.texts), number, entry.message)
            self.gated.through.append(entry)
        carried.carry_many(conn, fresh, now=self.now)
        shown = sorted(number for number in fresh if self.rows[number].apple)
        if shown:
            passes.touch_many(conn, shown, tag=next_tag(conn), now=micros(self.now))
            deliveries.look_at_passes(conn, [entry.id for entry in self.gated.through if entry.pass_no in fresh])
            deliveries.overtake_messages(conn, self.platform, shown, now=self.now)

    def _settle(self, entry: Delivery, outcome: Outcome, reason: str = "") -> None:
        self.gated.settled.append(Settlement(delivery_id=entry.id, outcome=outcome, reason=reason))

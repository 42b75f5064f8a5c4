"""A file that does not come makes no noise by itself: feeds with `expected_by` are watched.

`expected_by` is a wall-clock time, `06:30` in the project's zone or `06:30 Europe/Paris`. A feed has until then each
day; what came after yesterday's deadline is today's file.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store import expectations

_log = structlog.get_logger()


async def watch(*, kit: Kit) -> list[tuple[str, str]]:
    """Note in the audit, once per feed and day, which files have not come; return their (project, feed)."""
    missed: list[tuple[str, str]] = []
    for name, since in (await kit.store.read(expectations.projects_since)).items():
        try:
            project = kit.projects.current(name)
        except ConfigurationError as error:
            _log.warning("expected_not_watched", project=name, reason=str(error))
            continue
        missed += [(name, feed.name) for feed in project.feeds if await _is_missed(project, feed, since, kit)]
    return missed


def last_deadline(expected_by: str, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the latest deadline that has passed and the one of the day before it, in UTC."""
    clock, _, named = expected_by.strip().partition(" ")
    zone_info = ZoneInfo(named.strip() or zone)
    wall = time.fromisoformat(clock)
    # By calendar days, not by 24 hours: a day on which clocks change is longer or shorter.
    day = now.astimezone(zone_info).date()
    if _utc(day, wall, zone_info) > now:
        day -= timedelta(days=1)
    before = day - timedelta(days=1)
    return _utc(day, wall, zone_info), _utc(before, wall, zone_info)


def _utc(day: date, wall: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, wall, zone).astimezone(UTC)


async def _is_missed(project: Project, feed: Feed, since: datetime, kit: Kit) -> bool:
    if feed.expected_by is None:
        return False
    now = kit.clock()
    deadline, previous = last_deadline(feed.expected_by, project.timezone, now)
    if since > previous:
        return False  # nobody could deliver for the whole of that day
    if await kit.store.read(partial(expectations.has_come, project=project.name, feed=feed.name, since=previous)):
        return False
    note = partial(expectations.note_missed, project=project.name, feed=feed.name, deadline=deadline, now=now)
    if not await kit.store.write(note):
        return False
    _log.warning("expected_missed", project=project.name, feed=feed.name, deadline=deadline.isoformat())
    return True

"""When a message may go: windows and quiet hours on the holder's own clock, and how many a holder gets. All pure.

What counts is the time that the holder's clock shows. When clocks go back, a wall-clock time comes twice and a window
is judged by what the clock shows each time; when they go forward, a window that begins inside the gap begins where
the gap ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

EVERY_DAY: Final = (0, 1, 2, 3, 4, 5, 6)
# A window of one day of the week that falls into a gap is there again two weeks later at the latest.
_DAYS_AHEAD: Final = 16
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of the day, `start` included, `end` not; one that ends before it starts passes midnight."""

    start: time
    end: time

    def cover(self, wall: time) -> bool:
        """Return whether a time of the day lies within."""
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """The hours of a feed: messages go within `window` (None = at all times) on `days` (0 = Monday), never in `quiet`.

    The day of a window that passes midnight is the day that the clock shows.
    """

    window: Hours | None = None
    quiet: Hours | None = None
    days: tuple[int, ...] = EVERY_DAY

    @property
    def always(self) -> bool:
        """Whether a message may go at any time."""
        return self.window is None and self.quiet is None and self.days == EVERY_DAY

    def allows(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Return whether a message may go at a moment, by the clock of a zone."""
        local = moment.astimezone(zone)
        wall = local.time()
        if local.weekday() not in self.days or (self.quiet is not None and self.quiet.cover(wall)):
            return False
        return self.window is None or self.window.cover(wall)

    def opening(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first moment from the given one on at which a message may go (UTC), or None if there is none."""
        if self.always or self.allows(moment, zone):
            return moment
        return next((found for found in self._boundaries(moment, zone) if self.allows(found, zone)), None)

    def _boundaries(self, moment: datetime, zone: ZoneInfo) -> list[datetime]:
        """Return the later moments that may begin an opening, in order: starts, midnights, clock changes."""
        walls = [time.min]
        if self.window is not None:
            walls.append(self.window.start)
        if self.quiet is not None:
            walls.append(self.quiet.end)
        first = moment.astimezone(zone).date()
        found: set[datetime] = set()
        for ahead in range(-1, _DAYS_AHEAD):
            day = first + ahead * _DAY
            # A time that comes twice begins twice; one in a gap is no time at all, and the gap's end is a change.
            for fold in (0, 1):
                found.update(datetime.combine(day, wall, zone).replace(fold=fold).astimezone(UTC) for wall in walls)
            found.update(_changes(datetime.combine(day, time.min, UTC), zone))
        return sorted(at for at in found if at > moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """How many messages a pass gets within a time, whatever feed or drop they come from."""

    messages: int
    within: timedelta

    def reached(self, sent: Sequence[datetime], at: datetime) -> bool:
        """Return whether one more message at a moment would be too many, after those sent before."""
        return sum(at - self.within < moment <= at for moment in sent) >= self.messages


@lru_cache(maxsize=1024)
def zone_of(name: object, fallback: str) -> ZoneInfo:
    """Return the zone that a pass's document names (`Europe/Paris`), or the fallback where it names none."""
    if isinstance(name, str) and name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass  # what a partner wrote there is no zone; the message goes by the project's
    return ZoneInfo(fallback)


def _changes(begin: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the moment of a day at which a zone changes its offset, to the second, if there is one."""
    low, high = begin, begin + _DAY
    before = _offset(low, zone)
    if before == _offset(high, zone):
        return
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    yield high


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()

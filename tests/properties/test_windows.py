"""Windows, quiet hours and caps against the plain reading of a clock, minute by minute, over changes of the clock."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flatfile_sync.domain.windows import EVERY_DAY, Cap, Hours, Hush, zone_of

MINUTE = timedelta(minutes=1)
# Changes of the clock by an hour, by half an hour (Lord Howe), at midnight (Beirut), and none at all.
ZONES = [ZoneInfo(name) for name in ("Europe/Paris", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kolkata")]
walls = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
hours = st.builds(Hours, walls, walls).filter(lambda found: found.start != found.end)
hushes = st.builds(
    Hush,
    window=st.none() | hours,
    quiet=st.none() | hours,
    days=st.just(EVERY_DAY) | st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
)
# The nights of 2026 in which these zones change, and any other moment.
CHANGES = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 29), (10, 25), (4, 4), (10, 3), (3, 28))]
moments = st.builds(
    lambda start, minutes: start + minutes * MINUTE, st.sampled_from(CHANGES), st.integers(-2880, 2880)
) | st.builds(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + minutes * MINUTE, st.integers(0, 525_600))


def shown(moment, zone):
    local = moment.astimezone(zone)
    return local.weekday(), local.hour * 60 + local.minute


def allowed(hush, moment, zone):
    """The plain reading: look at the clock, and at the list of the minutes that are forbidden."""
    weekday, minute = shown(moment, zone)

    def within(span):
        start, end = (wall.hour * 60 + wall.minute for wall in (span.start, span.end))
        return minute in range(start, end if end > start else 1440) or (end < start and minute in range(end))

    quiet = hush.quiet is not None and within(hush.quiet)
    return weekday in hush.days and not quiet and (hush.window is None or within(hush.window))


@settings(max_examples=150)
@given(hushes, moments, st.sampled_from(ZONES))
def test_the_opening_is_the_first_minute_at_which_the_clock_allows_it(hush, moment, zone):
    expected = (moment + step * MINUTE for step in range(16 * 1440))
    assert hush.opening(moment, zone) == next((found for found in expected if allowed(hush, found, zone)), None)


@given(hushes, moments, st.sampled_from(ZONES))
def test_what_opens_is_open_and_opens_at_itself(hush, moment, zone):
    found = hush.opening(moment, zone)
    if found is not None:
        assert found >= moment
        assert hush.allows(found, zone)
        assert hush.opening(found, zone) == found


PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("hush", "moment", "expected"),
    [
        # Clocks go from 02:00 to 03:00 on 29 March: half past two is no time, the window begins with three o'clock.
        (Hush(window=Hours(time(2, 30), time(5))), "2026-03-29T00:10:00+00:00", "2026-03-29T01:00:00+00:00"),
        # A window that lies within the gap is not there on that day.
        (Hush(window=Hours(time(2), time(3))), "2026-03-29T00:10:00+00:00", "2026-03-30T00:00:00+00:00"),
        # Clocks go from 03:00 to 02:00 on 25 October: the window from one to half past two is open again.
        (Hush(window=Hours(time(1), time(2, 30))), "2026-10-25T00:45:00+00:00", "2026-10-25T01:00:00+00:00"),
        # Nine o'clock is nine o'clock before and after the change.
        (Hush(window=Hours(time(9), time(20))), "2026-10-24T19:00:00+00:00", "2026-10-25T08:00:00+00:00"),
        (Hush(window=Hours(time(9), time(20))), "2026-10-23T19:00:00+00:00", "2026-10-24T07:00:00+00:00"),
        (Hush(quiet=Hours(time(21), time(8))), "2026-08-01T20:00:00+00:00", "2026-08-02T06:00:00+00:00"),
        (Hush(days=(0,)), "2026-08-01T20:00:00+00:00", "2026-08-02T22:00:00+00:00"),
        (Hush(window=Hours(time(9), time(10)), quiet=Hours(time(8), time(11))), "2026-08-01T20:00:00+00:00", None),
    ],
)
def test_a_window_by_example(hush, moment, expected):
    found = hush.opening(datetime.fromisoformat(moment), PARIS)
    assert found == (None if expected is None else datetime.fromisoformat(expected))


def test_a_message_within_its_hours_goes_at_once():
    now = datetime(2026, 8, 1, 10, 0, 0, 1, tzinfo=UTC)
    assert Hush(window=Hours(time(9), time(20))).opening(now, PARIS) == now
    assert Hush().opening(now, PARIS) == now


NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
ages = st.lists(st.integers(-10, 100).map(lambda hours_ago: timedelta(hours=hours_ago)), max_size=8)


@given(ages, st.integers(1, 4), st.integers(1, 72))
@example([timedelta(hours=24)], 1, 24)
def test_a_cap_is_reached_by_what_was_sent_within_it(ages, messages, within):
    recent = [age for age in ages if timedelta(0) <= age < timedelta(hours=within)]
    cap = Cap(messages=messages, within=timedelta(hours=within))
    assert cap.reached([NOW - age for age in ages], NOW) is (len(recent) >= messages)


@pytest.mark.parametrize("name", [None, "", "Europe/Pairs", "../etc/passwd", 7, "Etc", "\0"])
def test_what_names_no_zone_leaves_the_projects(name):
    assert zone_of(name, "Europe/Paris") == PARIS
    assert zone_of("Asia/Tokyo", "Europe/Paris") == ZoneInfo("Asia/Tokyo")

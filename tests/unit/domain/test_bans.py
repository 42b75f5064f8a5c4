from datetime import timedelta

from flatfile_sync.domain.bans import BanPolicy
from tests.doubles import START

POLICY = BanPolicy(strikes=3, window=timedelta(minutes=10), length=timedelta(hours=1))
MINUTE = timedelta(minutes=1)


def standing(*minutes):
    found = None
    for minute in minutes:
        found = POLICY.strike(found, START + minute * MINUTE)
    return found


def test_as_many_strikes_as_the_policy_says_ban_for_its_length():
    """The third of three strikes bans for an hour from then."""
    assert standing(0, 1).banned_until is None
    assert standing(0, 1, 2).banned_until == START + 62 * MINUTE


def test_a_strike_is_forgiven_after_the_window():
    """Who fails now and then is not banned: the count begins anew."""
    assert standing(0, 9, 20).strikes == 1
    assert standing(0, 11, 22, 33, 44).banned_until is None


def test_after_a_ban_the_count_begins_anew_and_a_running_ban_is_never_shortened():
    """One failure after a ban is one strike; a strike while a ban runs leaves its end where it was."""
    assert standing(0, 1, 2, 70) == (1, START + 70 * MINUTE, None)
    assert standing(0, 1, 2, 3).banned_until == START + 62 * MINUTE
    assert standing(0, 1, 2, 3, 4, 5).banned_until == START + 65 * MINUTE

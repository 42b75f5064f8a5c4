from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flatfile_sync.domain.backoff import Backoff

NOW = datetime(2026, 8, 1, tzinfo=UTC)
seconds = st.floats(0, 1e5, allow_nan=False).map(lambda value: timedelta(seconds=value))
policies = st.builds(Backoff, first=seconds, factor=st.floats(1, 10), ceiling=seconds, last=st.integers(0, 200))


def delays(policy, retry_after=None):
    moments = (policy.next_try(attempts, NOW, retry_after=retry_after) for attempts in range(1, policy.last))
    return [moment - NOW for moment in moments]


@given(policies)
def test_delays_never_shrink_and_never_pass_the_ceiling(policy):
    found = delays(policy)
    assert all(before <= after for before, after in pairwise(found))
    assert all(timedelta(0) <= delay <= policy.ceiling for delay in found)


@given(policies, st.integers(0, 10**9))
def test_after_the_last_attempt_there_is_no_other(policy, beyond):
    assert policy.next_try(policy.last + beyond, NOW) is None


@given(policies, seconds)
def test_a_platform_that_asks_for_more_time_gets_it(policy, floor):
    assert all(delay == max(floor, plain) for delay, plain in zip(delays(policy, floor), delays(policy), strict=True))

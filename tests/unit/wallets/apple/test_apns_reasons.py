from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatfile_sync.wallets.apple.apns_reasons import BY_REASON, NEVER_AGAIN, Action, verdict

QUARTER = timedelta(minutes=15)
SENDING_AGAIN = {Action.DELAY, Action.LATER, Action.RENEW, Action.RECONNECT, Action.STOP_MINTING}
statuses = st.integers(100, 599)
reasons = st.sampled_from(sorted(BY_REASON)) | st.text(max_size=20)
attempts = st.integers(-5, 10_000)


@given(statuses.filter(lambda status: status != 200), st.sampled_from(sorted(NEVER_AGAIN)), attempts)
def test_what_apple_forbids_to_retry_is_never_retried(status, reason, tries):
    found = verdict(status, reason, attempts=tries)
    assert found.action not in SENDING_AGAIN
    assert found.retry_after is None


@given(st.integers(500, 599), reasons, attempts)
def test_a_5xx_is_never_retried_before_15_minutes(status, reason, tries):
    found = verdict(status, reason, attempts=tries)
    assert found.retry_after is None or found.retry_after >= QUARTER
    assert (found.action is Action.LATER) == (reason not in NEVER_AGAIN)


@given(statuses, reasons, st.integers(1, 50))
def test_waits_never_shrink_and_stay_below_four_hours(status, reason, tries):
    before, after = (verdict(status, reason, attempts=count).retry_after for count in (tries, tries + 1))
    assert (before is None) == (after is None)
    assert before is None or before <= after <= timedelta(hours=4)


@given(statuses, reasons, attempts)
def test_only_a_200_is_accepted_and_every_answer_means_something(status, reason, tries):
    assert (verdict(status, reason, attempts=tries).action is Action.ACCEPTED) == (status == 200)


@pytest.mark.parametrize(
    ("status", "reason", "action"),
    [
        (200, "", Action.ACCEPTED),
        (400, "BadDeviceToken", Action.DROP),
        (400, "DeviceTokenNotForTopic", Action.DROP),
        (400, "BadTopic", Action.STOP_TOPIC),
        (400, "PayloadEmpty", Action.STOP_TOPIC),
        (400, "TopicDisallowed", Action.STOP_TOPIC),
        (400, "IdleTimeout", Action.RECONNECT),
        (400, "SomethingNew", Action.STOP_TOPIC),
        (403, "BadCertificate", Action.STOP_CREDENTIAL),
        (403, "InvalidProviderToken", Action.STOP_CREDENTIAL),
        (403, "ExpiredProviderToken", Action.RENEW),
        (403, "Forbidden", Action.STOP_CREDENTIAL),
        (403, "SomethingNew", Action.STOP_CREDENTIAL),
        (404, "BadPath", Action.BUG),
        (405, "MethodNotAllowed", Action.BUG),
        (413, "PayloadTooLarge", Action.BUG),
        (410, "Unregistered", Action.DROP),
        (410, "ExpiredToken", Action.DROP),
        (410, "", Action.DROP),
        (429, "TooManyRequests", Action.DELAY),
        (429, "TooManyProviderTokenUpdates", Action.STOP_MINTING),
        (500, "InternalServerError", Action.LATER),
        (503, "ServiceUnavailable", Action.LATER),
        (503, "Shutdown", Action.LATER),
        (503, "", Action.LATER),
        (302, "", Action.BUG),
    ],
)
def test_each_answer_has_its_action(status, reason, action):
    assert verdict(status, reason).action is action

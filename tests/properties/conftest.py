"""One profile for all properties: the same examples every time, no example judged by the clock."""

from hypothesis import HealthCheck, settings

# A store is shared by the examples of a test on purpose: what one leaves behind is one more thing to stand.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("repeatable")

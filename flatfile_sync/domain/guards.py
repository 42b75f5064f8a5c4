"""Whether a drop as a whole should go on: decided after plan, before the first change."""

from dataclasses import dataclass

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Guards


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """A guard that refused: rule, its limit, what was observed, and the issue that says so."""

    rule: str
    limit: float
    observed: float
    issue: Issue


def check(
    guards: Guards, *, records: int, failed: int, leading_failures: int, child: bool, messages: int = 0, passes: int = 0
) -> Tripped | None:
    """Return the first guard that trips, or None.

    `leading_failures` counts the failed records before the first sound one, `messages` the sound records that carry a
    message, `passes` all passes of the project (looked at by `max_notification_percent` only). A rejects file that
    came back (`child`) is exempt from the percentages and from the look at its first records: it is made of records
    that failed before.
    """
    return _rejects(guards, records, failed, leading_failures, child=child) or _notifications(
        guards, messages, passes, child=child
    )


def _rejects(guards: Guards, records: int, failed: int, leading_failures: int, *, child: bool) -> Tripped | None:
    limit = guards.max_reject_count
    if limit is not None and failed > limit:
        return _too_many("max_reject_count", limit, failed, records, failed)
    if child:
        return None
    percent = guards.max_reject_percent
    if percent is not None and failed >= guards.percent_from and failed * 100 > percent * records:
        return _too_many("max_reject_percent", percent, round(failed * 100 / records, 2), records, failed)
    first = guards.first_records
    if first is not None and leading_failures >= first:
        found = issue("G02", limit=first)
        return Tripped(rule="first_records", limit=first, observed=leading_failures, issue=found)
    return None


def _notifications(guards: Guards, messages: int, passes: int, *, child: bool) -> Tripped | None:
    limit = guards.max_notifications
    if limit is not None and messages > limit:
        found = issue("G03", observed=messages, rule="max_notifications", limit=f"{limit:,}")
        return Tripped(rule="max_notifications", limit=limit, observed=messages, issue=found)
    percent = guards.max_notification_percent
    if percent is None or child or messages * 100 <= percent * passes:
        return None
    words = f"{percent:g} % of the {passes:,} passes there are"
    found = issue("G03", observed=messages, rule="max_notification_percent", limit=words)
    share = round(messages * 100 / passes, 2) if passes else 100.0
    return Tripped(rule="max_notification_percent", limit=percent, observed=share, issue=found)


def _too_many(rule: str, limit: float, observed: float, records: int, failed: int) -> Tripped:
    words = f"{limit:g} %" if rule == "max_reject_percent" else f"{limit:g}"
    found = issue("G01", observed=failed, records=records, rule=rule, limit=words)
    return Tripped(rule=rule, limit=limit, observed=observed, issue=found)

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


def check(guards: Guards, *, records: int, failed: int, leading_failures: int, child: bool) -> Tripped | None:
    """Return the first guard that trips, or None.

    `leading_failures` counts the failed records before the first sound one. A rejects file that came back (`child`)
    is exempt from the percentage and from the look at its first records: it is made of records that failed before.
    """
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


def _too_many(rule: str, limit: float, observed: float, records: int, failed: int) -> Tripped:
    words = f"{limit:g} %" if rule == "max_reject_percent" else f"{limit:g}"
    found = issue("G01", observed=failed, records=records, rule=rule, limit=words)
    return Tripped(rule=rule, limit=limit, observed=observed, issue=found)

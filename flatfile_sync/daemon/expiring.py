"""Certificates that end soon: an event for each of 60, 30 and 7 days ahead and for the end, once."""

import structlog
from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock
from flatfile_sync.store import audit
from flatfile_sync.store.database import Store
from flatfile_sync.wallets.apple.certificates import ExpiryWarning, PassCertificate

EVENT = "certificate_ends"
_ACTOR = "calendar"

_log = structlog.get_logger()


async def warn(certificate: PassCertificate, *, store: Store, clock: Clock) -> int:
    """Tell of what is new since the last look, in the log and in the audit trail; return how many."""
    warnings = certificate.expiry_warnings(clock())
    if not warnings:
        return 0
    fresh = await store.write(lambda conn: _record(conn, warnings, clock))
    for warning in fresh:
        _log.warning(EVENT, certificate=warning.name, ends=warning.not_after.isoformat(), days=warning.days)
    return len(fresh)


def _record(conn: Connection, warnings: tuple[ExpiryWarning, ...], clock: Clock) -> list[ExpiryWarning]:
    told = audit.events(conn, EVENT)
    fresh = []
    for warning in warnings:
        details = {"certificate": warning.name, "ends": warning.not_after.isoformat(), "step": warning.step}
        if details not in told:
            audit.record(conn, at=clock(), actor=_ACTOR, event=EVENT, details=details)
            fresh.append(warning)
    return fresh

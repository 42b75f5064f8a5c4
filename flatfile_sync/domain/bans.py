"""How long a client stays out that failed too often: a pure policy over what is known of its address."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


class Standing(NamedTuple):
    """What is held against an address: strikes, the last of them, and until when it is banned."""

    strikes: int
    struck_at: datetime
    banned_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BanPolicy:
    """`strikes`, each less than `window` after the one before, ban for `length`."""

    strikes: int = 10
    window: timedelta = timedelta(minutes=10)
    length: timedelta = timedelta(hours=1)

    def strike(self, before: Standing | None, now: datetime) -> Standing:
        """Return how an address stands after one more failure; a ban that runs is never made shorter."""
        running = before.banned_until if before and before.banned_until and before.banned_until > now else None
        counts_on = before is not None and before.strikes and now - before.struck_at <= self.window
        strikes = 1 + (before.strikes if before is not None and counts_on else 0)
        if strikes < self.strikes:
            return Standing(strikes, now, running)
        until = now + self.length
        return Standing(0, now, max(until, running) if running else until)

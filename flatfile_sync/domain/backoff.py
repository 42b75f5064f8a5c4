"""When to try again: a pure function of attempts and the reason."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays with a ceiling; `last` attempts at most."""

    first: timedelta = timedelta(seconds=2)
    factor: float = 3.0
    ceiling: timedelta = timedelta(minutes=15)
    last: int = 8

    def next_try(self, attempts: int, now: datetime, *, retry_after: timedelta | None = None) -> datetime | None:
        """Return when attempt number `attempts + 1` is due, or None after the last one.

        `attempts` counts the tries already made (at least 1). A platform's own `retry_after` is a floor.
        """
        if attempts >= self.last:
            return None
        # In seconds and with a capped exponent: neither a float nor a timedelta overflows, whatever the count.
        grown = self.first.total_seconds() * self.factor ** min(attempts - 1, 64)
        delay = timedelta(seconds=grown) if grown < self.ceiling.total_seconds() else self.ceiling
        return now + max(delay, retry_after or timedelta(0))

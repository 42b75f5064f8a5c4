"""How often somebody may ask: GCRA in memory, one number per address, the longest unheard forgotten first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

_REMEMBERED: Final = 20_000


class Rates:
    """`rate` requests a second under each key, of which `burst` may come at once; `monotonic` gives seconds."""

    def __init__(
        self, *, rate: float, burst: float, monotonic: Callable[[], float], remembered: int = _REMEMBERED
    ) -> None:
        self._interval, self._slack = 1 / rate, (burst - 1) / rate
        self._monotonic, self._remembered = monotonic, remembered
        self._free_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._free_at)

    def wait(self, key: Hashable) -> float:
        """Count one request and return 0, or return the seconds until the next may come; then it counts for nothing."""
        now = self._monotonic()
        free_at = max(self._free_at.pop(key, now), now)
        early = free_at - self._slack - now
        self._free_at[key] = free_at if early > 0 else free_at + self._interval
        if len(self._free_at) > self._remembered:
            self._free_at.popitem(last=False)
        return max(early, 0.0)

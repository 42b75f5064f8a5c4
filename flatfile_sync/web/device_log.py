"""What devices complain about (`POST /v1/log`), in our log: short lines, not too many, nothing that is not text."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from flatfile_sync.domain.tally import Figure, Tally
from flatfile_sync.web.rates import Rates

MOST_LINES: Final = 20
"""Lines of one request that are written."""
MOST_CHARACTERS: Final = 300
_RATE, _BURST = 5.0, 100.0

_log = structlog.get_logger()


class DeviceLog:
    """Writes lines of devices; anybody may call, so all devices together have a rate."""

    def __init__(self, *, monotonic: Callable[[], float], tally: Tally) -> None:
        self._rates = Rates(rate=_RATE, burst=_BURST, monotonic=monotonic, remembered=1)
        self._tally = tally

    def write(self, lines: Sequence[str]) -> None:
        """Write what there is room for; the rest is only counted."""
        for number, line in enumerate(lines):
            if number >= MOST_LINES or self._rates.wait("devices"):
                self._tally.add(Figure.DEVICE_LINES, by=len(lines) - number)
                break
            _log.warning("device_log", said=plain(line))


def plain(line: str) -> str:
    """Return a line without control characters, line breaks and marks that turn text around, cut to a length."""
    short = line[:MOST_CHARACTERS]
    told = "".join(character if character.isprintable() else " " for character in short).strip()
    return told if len(short) == len(line) else f"{told}…"

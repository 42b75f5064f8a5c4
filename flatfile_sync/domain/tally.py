"""What this process has done since it started, counted for whoever watches it: never a value of a row."""

import threading
from collections import Counter
from enum import Enum
from typing import Final


class Figure(Enum):
    """What is counted: name, what it means, and what tells the counts apart (each a word of an enum or a setting)."""

    UPLOADS = ("uploads", "What became of uploads; one that was closed may still be taken back.", ("ended",))
    DROPS = ("drops_reported", "Drops whose result set was published.", ("project", "verdict"))
    RECORDS = ("records", "Records of published result sets, by their verdict.", ("project", "status"))
    DELIVERIES = ("deliveries_settled", "Deliveries that have an outcome.", ("platform", "outcome"))
    PUSHES = ("push_responses", "Answers of APNs; without a status there was none.", ("status", "reason"))
    GOOGLE_CALLS = ("google_calls", "Answers of the Google Wallet API.", ("method", "status"))
    REQUESTS = ("http_requests", "Requests at the HTTP door.", ("route", "method", "status"))
    DEVICE_LINES = ("device_log_lines_dropped", "Lines of devices' logs that were not written.", ())
    CONNECTIONS = ("sftp_connections", "Connections at the SFTP door, by what became of them there.", ("result",))
    LOGINS = ("sftp_auth", "Attempts to come in at the SFTP door.", ("method", "result"))
    BANS = ("sftp_bans", "Addresses that were banned from the SFTP door.", ())
    CALLBACKS = ("google_callbacks", "Callbacks of Google.", ("result",))

    def __init__(self, label: str, meaning: str, labels: tuple[str, ...]) -> None:
        self.label, self.meaning, self.labels = label, meaning, labels


_MOST: Final = 500
"""Different counts of one figure: a label that should have few values and has many ends as `other`."""
_OTHER: Final = "other"

Counts = dict[tuple[str, ...], int]


class Tally:
    """Counts; threads may add at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Figure, Counter[tuple[str, ...]]] = {figure: Counter() for figure in Figure}

    def add(self, figure: Figure, *labels: str, by: int = 1) -> None:
        """Count; there is a label for each of the figure's."""
        if len(labels) != len(figure.labels):
            raise ValueError(f"{figure.label} is told apart by {figure.labels}, not by {labels}")
        with self._lock:
            counts = self._counts[figure]
            if labels not in counts and len(counts) >= _MOST:
                labels = (_OTHER,) * len(labels)
            counts[labels] += by

    def counts(self, figure: Figure) -> Counts:
        """Return labels -> count."""
        with self._lock:
            return dict(self._counts[figure])

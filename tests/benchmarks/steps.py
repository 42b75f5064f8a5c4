"""What the steps of one walk took: seconds, and the peak memory of the daemon and of its workers."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flatfile_sync.work.compute import Processes
from tests.benchmarks.processes import Together, cpu_seconds, forget_peak, peak


class Steps:
    """Measures step after step; peaks begin anew with each.

    What all processes hold at one moment is looked at only with `together`: looking takes a tenth of a core.
    """

    def __init__(self, rows: int, compute: Processes, *, together: bool = False) -> None:
        self._rows, self._compute, self._together = rows, compute, together
        self._figures: dict[str, dict[str, float]] = {}

    @contextmanager
    def measured(self, step: str) -> Iterator[None]:
        """Measure one step."""
        for pid in self._pids():
            forget_peak(pid)
        before = self._cpu()
        together = Together(self._pids if self._together else list)
        with together:
            started = time.perf_counter()
            yield
            seconds = time.perf_counter() - started
        daemon, *workers = (peak(pid) for pid in self._pids())
        self._figures[step] = {
            "seconds": seconds,
            "rows_per_second": self._rows / seconds,
            "cpu_seconds": self._cpu() - before,
            "daemon_mb": daemon,
            "worker_mb": max(workers),
            "all_mb": together.peak,
        }

    def figures(self) -> dict[str, Any]:
        """Return the figures of each step and, as `line`, of all of them together."""
        seconds, cpu = (sum(step[name] for step in self._figures.values()) for name in ("seconds", "cpu_seconds"))
        peaks = {
            name: max(step[name] for step in self._figures.values()) for name in ("daemon_mb", "worker_mb", "all_mb")
        }
        line = {"seconds": seconds, "rows_per_second": self._rows / seconds, "cpu_seconds": cpu, **peaks}
        return self._figures | {"line": line}

    def _cpu(self) -> float:
        return sum(cpu_seconds(pid) for pid in self._pids())

    def _pids(self) -> list[int]:
        return [os.getpid(), *self._compute.pids]

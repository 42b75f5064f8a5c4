"""Memory and processor time of processes, as Linux counts them (proc(5): `VmHWM`, `clear_refs`, `stat`, `Pss`)."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

MEGABYTE = 1_000_000


def forget_peak(pid: int) -> None:
    """Let the peak of a process begin anew from what it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> float:
    """Return the most memory a process held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kilobytes) * 1024 / MEGABYTE


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used, in its own code and in the kernel's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional(pid: int) -> float:
    """Return the memory a process holds now, in MB; a page that several share counts as a part for each."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    kilobytes = next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]
    return int(kilobytes) * 1024 / MEGABYTE


class Together:
    """Looks ten times a second at what several processes hold at one moment; `peak` is the most that was seen."""

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self.peak = 0.0
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, sum(proportional(pid) for pid in self._pids()))
            if self._over.wait(0.1):
                return

"""Peak memory and processor time of a process, as Linux counts them (proc(5): `VmHWM`, `clear_refs`, `stat`)."""

import os
from pathlib import Path

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

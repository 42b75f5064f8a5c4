"""Imported into the daemon's process by the drills: it ends itself, as kill -9 would, at a named point.

`FLATFILE_KILL_AT` is the point's name and, after a star, the how-manieth pass of it; the file that
`FLATFILE_KILL_NOTE` names is written first, so that a drill knows that its point was reached.
"""

import os
import signal
import threading
from pathlib import Path

from flatfile_sync.domain import faults

_WANTED, _, _COUNT = os.environ["FLATFILE_KILL_AT"].partition("*")
_NOTE = Path(os.environ["FLATFILE_KILL_NOTE"])
_left = int(_COUNT or 1)
_lock = threading.Lock()


def _hook(name: str) -> None:
    global _left  # noqa: PLW0603 - one process, one count
    if name != _WANTED:
        return
    with _lock:
        _left -= 1
        if _left == 0:
            _NOTE.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)


faults.hook = _hook

"""What runs inside a worker process: calls that arrive on standard input, answers on standard output.

A frame is eight bytes of length, then a pickle. A call is `(function, args, kwargs)`, an answer `(True, value)` or
`(False, exception)`. Both ends are the same program on the same machine, so unpickling runs nothing foreign.
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import itertools
import os
import pickle
import signal
import struct
import sys
import traceback
from collections.abc import Sequence
from typing import Any, BinaryIO

LENGTH = struct.Struct(">Q")
_PR_SET_PDEATHSIG = 1  # prctl(2)
_YIELD_TO_THE_LOOP = 5
_CALLS_PER_COLLECTION = 50


def main(parent: int, preload: Sequence[str]) -> None:
    """Answer calls until standard input ends; `parent` is the process that started this one."""
    _die_with(parent)
    # Ctrl-C and `systemctl stop` reach every process of the service: the daemon decides when a worker's work ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The door and the writer answer first; what is done here is never waited for by a partner's client.
    os.nice(_YIELD_TO_THE_LOOP)
    calls, answers = _streams()
    for name in preload:
        importlib.import_module(name)
    # A chunk is a hundred thousand objects without a cycle: the collector comes between calls, seldom, not in them.
    gc.freeze()
    gc.disable()
    for number in itertools.count(1):
        call = _read(calls)
        if not call:
            break
        answers.write(_answer(call))
        answers.flush()
        if number % _CALLS_PER_COLLECTION == 0:
            gc.collect()


def frame(content: object) -> bytes:
    """Return the frame of a call or an answer."""
    data = pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before the line above


def _streams() -> tuple[BinaryIO, BinaryIO]:
    # A library that prints must not end up in the middle of an answer, nor one that reads take a call away.
    calls = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # see `compute`: the other direction
            fcntl.fcntl(answers, fcntl.F_SETPIPE_SZ, 1 << 20)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return calls, answers


def _read(calls: BinaryIO) -> bytes:
    head = calls.read(LENGTH.size)
    return calls.read(LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""


def _answer(call: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 - written by the process that started this one
        return frame((True, function(*args, **kwargs)))
    except Exception as error:  # noqa: BLE001 - it is raised again in the process that called
        return _failure(error)


def _failure(error: Exception) -> bytes:
    text = "".join(traceback.format_exception(error))
    error.add_note(f"In a worker process:\n{text}")
    try:
        data = frame((False, error))
        # Some exceptions pickle well and fail when they are made again, which would look like a broken pipe.
        pickle.loads(data[LENGTH.size :])  # noqa: S301 - just written
    except Exception:  # noqa: BLE001 - whatever it is, the text tells what happened
        return frame((False, RuntimeError(text)))
    return data


def start(arguments: Sequence[str]) -> Any:
    """Return the command line's parts as `main` takes them: parent's pid, then modules to import first."""
    return main(int(arguments[0]), arguments[1:])

"""Worker processes for CPU-bound work: no database, no secrets, no life after their parent's.

Not `concurrent.futures`: there one crashed worker breaks the whole pool, a call that nobody waits for any more goes
on, and each worker first imports the program's main module.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import structlog

from flatfile_sync.domain.failures import TemporaryFailure
from flatfile_sync.work.worker import LENGTH, frame

P = ParamSpec("P")
T = TypeVar("T")

# What reading and validating import anyway: paid while the daemon starts, not by the first drop.
PRELOAD = ("orjson", "numpy", "pandas", "pyarrow.csv", "pydantic")
# The parent's path, so that a worker finds every function that its parent has.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from flatfile_sync.work.worker import start; start(sys.argv[2:])"
)
_LEAVE = 5.0
_FRAME = 16 << 20  # bytes of an answer that are read without telling the worker to wait
_PIPE = 1 << 20  # what an unprivileged user may ask for (pipe(7), pipe-max-size)

_log = structlog.get_logger()


class Processes:
    """`width` worker processes, started when first needed or by `warm`; implements `domain.engine.Compute`.

    Belongs to the event loop in whose thread it is used: a worker is told by the kernel when that thread ends.
    """

    def __init__(self, width: int, *, preload: Sequence[str] = PRELOAD) -> None:
        self._width = width
        self._preload = tuple(preload)
        self._turns = asyncio.Semaphore(width)
        self._idle: list[Process] = []
        self._all: set[Process] = set()
        self._closed = False

    @property
    def width(self) -> int:
        """How many functions run at the same time."""
        return self._width

    @property
    def pids(self) -> list[int]:
        """The worker processes there are."""
        return [process.pid for process in self._all]

    async def warm(self) -> None:
        """Start all workers; they import what they need while the caller goes on."""
        while not self._closed and len(self._all) < self._width:
            self._idle.append(await self._start())

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)`; function, arguments and result can be pickled.

        What the function raises is raised here. Raises `TemporaryFailure` if the worker dies under it; another takes
        its place. A caller that is cancelled takes the worker's process with it: nothing goes on unseen.
        """
        call = frame((function, args, kwargs))
        async with self._turns:
            worker = self._idle.pop() if self._idle else await self._start()
            try:
                answer = await _ask(worker, call)
            except (asyncio.IncompleteReadError, ConnectionError):
                code = await self._bury(worker)
                name = getattr(function, "__qualname__", repr(function))
                _log.warning("worker_died", function=name, pid=worker.pid, code=code)
                raise TemporaryFailure(f"A worker process ended with {code} while it ran {name}.") from None
            except BaseException:
                await asyncio.shield(self._discard(worker))
                raise
            self._idle.append(worker)
        done, value = pickle.loads(answer)  # noqa: S301 - written by our own worker
        if not done:
            raise value
        result: T = value
        return result

    async def close(self) -> None:
        """End the workers, those that are busy too; may be called twice."""
        self._closed = True
        idle, self._idle = self._idle, []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE):
                # The end of their input lets them go by themselves.
                await asyncio.gather(*(worker.communicate(b"") for worker in idle))
        for worker in self._all:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
        await asyncio.gather(*(worker.wait() for worker in self._all))
        self._all.difference_update(idle)  # whoever waits for a busy one discards it

    async def _start(self) -> Process:
        if not self._closed:
            worker = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", _PROGRAM, json.dumps(sys.path), str(os.getpid()), *self._preload),
                stdin=PIPE,
                stdout=PIPE,
                limit=_FRAME,
            )
            _widen(worker)
            self._all.add(worker)
            if not self._closed:
                return worker
            await self._discard(worker)
        raise TemporaryFailure("The worker processes are stopping.")

    async def _discard(self, worker: Process) -> int:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        return await self._bury(worker)

    async def _bury(self, worker: Process) -> int:
        """Wait for a worker that has ended. It is not killed once more: that would take its exit code away."""
        self._all.discard(worker)
        # Reading to the end closes the pipe's transport, which the loop would complain about otherwise.
        await worker.communicate()
        return await worker.wait()


def _widen(worker: Process) -> None:
    """Let a chunk pass in a few pieces instead of sixty, each of which wakes both sides."""
    if sys.platform != "linux" or worker.stdin is None:
        return
    with contextlib.suppress(OSError):  # the user's pipes together may have a limit: then they stay small
        fcntl.fcntl(worker.stdin.transport.get_extra_info("pipe"), fcntl.F_SETPIPE_SZ, _PIPE)


async def _ask(worker: Process, call: bytes) -> bytes:
    if worker.stdin is None or worker.stdout is None:
        raise AssertionError("A worker has both pipes.")
    worker.stdin.write(call)
    await worker.stdin.drain()
    head: Any = LENGTH.unpack(await worker.stdout.readexactly(LENGTH.size))
    return await worker.stdout.readexactly(head[0])

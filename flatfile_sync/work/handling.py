"""What both engines do with a task, whatever brought it to them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import structlog

from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.domain.failures import StaleEpochError, trail

Handlers: TypeAlias = Mapping[TaskKind, Callable[[str], Awaitable[None]]]
Sweep: TypeAlias = Callable[[], Awaitable[Sequence[Task]]]

_log = structlog.get_logger()


async def handle(handlers: Handlers, kind: TaskKind, key: str) -> bool:
    """Run one task and return whether this process may go on working.

    What a handler raises ends here, logged once: attempts and back-off stand in the tables, and the sweep brings the
    task back. Only a newer daemon's epoch ends the process's work.
    """
    try:
        await handlers[kind](key)
    except StaleEpochError as error:
        _log.critical("epoch_stale", kind=kind, key=key, reason=str(error))
        return False
    except Exception as error:  # noqa: BLE001 - one task's trouble must not end the others
        _log.error("task_failed", kind=kind, key=key, trail=trail(error))
    return True


async def swept(sweep: Sweep) -> Sequence[Task]:
    """Return what is outstanding; nothing, with a line in the log, if the tables cannot be read now."""
    try:
        return await sweep()
    except StaleEpochError:
        raise
    except Exception as error:  # noqa: BLE001 - the next sweep may find the database back
        _log.error("sweep_failed", trail=trail(error))
        return ()


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Wait for the time or for `stop`; return whether it was `stop`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()

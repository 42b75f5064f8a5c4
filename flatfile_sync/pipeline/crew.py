"""Several chunks at a time, their results in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def in_order(items: Iterable[A], work: Callable[[A], Awaitable[B]], *, width: int) -> AsyncIterator[B]:
    """Yield `await work(item)` for each item in order, with at most `width` under way.

    If one fails, those under way are cancelled and the failure is raised.
    """
    waiting: deque[asyncio.Future[B]] = deque()
    try:
        for item in items:
            waiting.append(asyncio.ensure_future(work(item)))
            if len(waiting) >= width:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for left in waiting:
            left.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

"""Signed passes kept in memory while they are what a device would get, up to a number of bytes."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from flatfile_sync.store.passes import PassRow

Issue = Callable[[PassRow], Awaitable[bytes]]
Version = Callable[[PassRow], Awaitable[str]]
Key = tuple[int, int, int, str]


class Rendered:
    """Makes each pass once per revision, time of change and project version, however many ask at the same time."""

    def __init__(self, issue: Issue, *, version: Version, most_bytes: int) -> None:
        self._issue, self._version, self._most = issue, version, most_bytes
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._making: dict[Key, asyncio.Task[bytes]] = {}
        self.size = 0

    async def get(self, row: PassRow) -> bytes:
        """Return the pass as a device takes it. Raises what making it raises."""
        key = (row.no, row.revision, row.modified_at, await self._version(row))
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key, row))
            making.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Whoever asked first may go away; the others still want it.
        return await asyncio.shield(making)

    async def _make(self, key: Key, row: PassRow) -> bytes:
        try:
            data = await self._issue(row)
        finally:
            del self._making[key]
        if len(data) <= self._most:
            self._kept[key] = data
            self.size += len(data)
            while self.size > self._most:
                _, old = self._kept.popitem(last=False)
                self.size -= len(old)
        return data

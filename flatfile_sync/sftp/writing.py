"""The bytes of one upload on their way to disk: at any offset, in any order, and whole at the end or refused."""

import asyncio
import hashlib
import os
from typing import Final

from flatfile_sync.domain.failures import Refused

# Clients keep 64 writes of 32 KiB under way; nobody honest runs further ahead of the first missing byte.
_AHEAD: Final = 16 * 1024 * 1024
# Bytes that came out of order are read once more for the hash, unless that would keep the client waiting.
_HASH_AT_CLOSE: Final = 256 * 1024 * 1024


class Writing:
    """An open file of the spool. A write that fails poisons it: `finish` then refuses, whatever came after."""

    def __init__(self, descriptor: int, *, size: int = 0) -> None:
        self.descriptor = descriptor
        self.whole = size  # every byte before this offset is there
        self._islands: list[tuple[int, int]] = []  # what came out of order, sorted, apart from each other
        self._hash = hashlib.sha256() if size == 0 else None
        self._failure: str | None = None

    async def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`; a disk that takes less is an error, and never again heard as OK."""
        if self._failure is not None:
            raise Refused(self._failure)
        if offset > self.whole + _AHEAD:
            self._failure = "a write leaves too large a gap"
            raise Refused(self._failure)
        try:
            await asyncio.to_thread(_write_all, self.descriptor, offset, data)
        except OSError as error:
            self._failure = f"the server could not write: {error.strerror}"
            raise
        if self._hash is not None and offset == self.whole and not self._islands:
            self._hash.update(data)
        else:
            self._hash = None
        self._cover(offset, offset + len(data))

    async def cut(self, size: int) -> None:
        """End the file at `size`, at or before the end of what is written."""
        if size > self.whole:
            raise Refused("a file can be cut, not grown")
        if size < self.whole or self._islands:
            await asyncio.to_thread(os.ftruncate, self.descriptor, size)
            self.whole, self._islands, self._hash = size, [], None

    async def read(self, offset: int, length: int) -> bytes:
        """Return what is there at an offset."""
        return await asyncio.to_thread(os.pread, self.descriptor, length, offset)

    async def finish(self) -> tuple[int, str | None]:
        """Return bytes and sha256 (None if the file is large and came out of order). Raises `Refused` if not whole."""
        if self._failure is None and self._islands:
            self._failure = f"the bytes from {self.whole} to {self._islands[0][0]} were never written"
        if self._failure is not None:
            raise Refused(self._failure)
        if self._hash is not None:
            return self.whole, self._hash.hexdigest()
        if self.whole > _HASH_AT_CLOSE:
            return self.whole, None
        return self.whole, await asyncio.to_thread(_hash_file, self.descriptor)

    def _cover(self, start: int, end: int) -> None:
        islands = sorted([*self._islands, (start, end)])
        apart: list[tuple[int, int]] = []
        for low, high in islands:
            if low <= self.whole:
                self.whole = max(self.whole, high)
            elif apart and low <= apart[-1][1]:
                apart[-1] = (apart[-1][0], max(apart[-1][1], high))
            else:
                apart.append((low, high))
        self._islands = apart


def _write_all(descriptor: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]


def _hash_file(descriptor: int) -> str:
    digest = hashlib.sha256()
    offset = 0
    while data := os.pread(descriptor, 1 << 20, offset):
        digest.update(data)
        offset += len(data)
    return digest.hexdigest()

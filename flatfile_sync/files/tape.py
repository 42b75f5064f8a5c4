"""A run of bytes of a file that is read forward, block by block."""

from typing import BinaryIO, Final

BLOCK: Final = 1 << 12
"""Bytes of one read. A decoder says of a block only that it is bad, so small ones say where."""


class Tape:
    """The bytes from `start` to `end` of an open file. Positions are offsets in the file."""

    def __init__(self, handle: BinaryIO, start: int, end: int) -> None:
        self._handle = handle
        self._returned = b""
        self._read_to = start
        self.start = start
        self.end = end

    @property
    def position(self) -> int:
        """Where the next byte stands."""
        return self._read_to - len(self._returned)

    @property
    def taken(self) -> int:
        """How many bytes have been read and not been put back."""
        return self.position - self.start

    def read(self) -> bytes:
        """Return the next bytes; none at the end."""
        if self._returned:
            block, self._returned = self._returned, b""
            return block
        self._handle.seek(self._read_to)
        block = self._handle.read(min(BLOCK, self.end - self._read_to))
        self._read_to += len(block)
        return block

    def put_back(self, rest: bytes) -> None:
        """Give back the last bytes that were read."""
        self._returned = rest + self._returned

"""Zip files of stored entries, whose records are worked out once per file and then only put one behind another.

PNG images do not get smaller by deflating, which would take ten times as long as signing. With the date fixed, equal
files give equal bytes. Layout: APPNOTE.TXT sections 4.3.7 (local record), 4.3.12 (directory), 4.3.16 (end).
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_NEEDED: Final = 20  # version 2.0
_MADE_BY: Final = 3 << 8 | _NEEDED  # on Unix, so that the mode counts
_UTF8: Final = 0x800
_DATE: Final = 0x21  # 1980-01-01, the first that a zip can say
_MODE: Final = 0o100644 << 16


class _Facts(NamedTuple):
    """What both records say about a file, in their order."""

    needed: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    name: int
    extra: int


@dataclass(frozen=True, slots=True)
class File:
    """A file of an archive. Its SHA-1 (lowercase hex) and its records depend on path and bytes alone."""

    path: str
    data: bytes = field(repr=False)
    sha1: str = field(init=False)
    local: bytes = field(init=False, repr=False, compare=False)
    facts: _Facts = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        name = self.path.encode()
        flags, size = (0 if self.path.isascii() else _UTF8), len(self.data)
        facts = _Facts(_NEEDED, flags, 0, 0, _DATE, zlib.crc32(self.data), size, size, len(name), 0)
        object.__setattr__(self, "facts", facts)
        object.__setattr__(self, "local", _LOCAL.pack(b"PK\x03\x04", *facts) + name + self.data)
        # Apple's manifest has SHA-1; what counts is the signature above it.
        object.__setattr__(self, "sha1", hashlib.sha1(self.data, usedforsecurity=False).hexdigest())


def archive(files: Iterable[File]) -> bytes:
    """Return a zip of the files in their order; together they stay under 4 GB."""
    records, directory, offset = [], [], 0
    for file in files:
        records.append(file.local)
        directory.append(
            _CENTRAL.pack(b"PK\x01\x02", _MADE_BY, *file.facts, 0, 0, 0, _MODE, offset) + file.path.encode()
        )
        offset += len(file.local)
    entries = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(records), len(records), len(entries), offset, 0)
    return b"".join((*records, entries, end))

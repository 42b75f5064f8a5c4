"""Requests and replies of SFTP version 3 as bytes (draft-ietf-secsh-filexfer-02).

Only what this door speaks. Bytes after the fields of a request are ignored: rclone and clients on pkg/sftp up to
1.13.5 send some after the last write.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

LENGTH: Final = struct.Struct(">I")
_UINT32: Final = struct.Struct(">I")
_UINT64: Final = struct.Struct(">Q")
_LIMITS: Final = struct.Struct(">QQQQ")
VERSION: Final = 3
# What OpenSSH writes at most once it knows `limits@openssh.com`, and the request around it.
MAX_DATA: Final = 256 * 1024
MAX_PACKET: Final = MAX_DATA + 1024
MAX_HANDLES: Final = 64


class Request(IntEnum):
    """Types of requests; those of links are not here, so nobody can make one."""

    INIT = 1
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    EXTENDED = 200


class Reply(IntEnum):
    """Types of replies."""

    VERSION = 2
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 201


class Status(IntEnum):
    """Codes of a status reply."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    OP_UNSUPPORTED = 8


EXTENSIONS: Final = ((b"posix-rename@openssh.com", b"1"), (b"fsync@openssh.com", b"1"), (b"limits@openssh.com", b"1"))


# The C locale's names, whatever the machine's: clients parse them.
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class BadMessageError(Exception):
    """A request ends before its fields do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a client may say about a file; `size` in bytes. Modes and owners are read past: they mean nothing here."""

    size: int | None = None
    modified_at: datetime | None = None


class Fields:
    """The fields of one request, read in order."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def uint32(self) -> int:
        """Return the next four bytes as a number."""
        return int(self._unpack(_UINT32))

    def uint64(self) -> int:
        """Return the next eight bytes as a number."""
        return int(self._unpack(_UINT64))

    def string(self) -> bytes:
        """Return the next string."""
        start = self._at + _UINT32.size
        end = start + self.uint32()
        if end > len(self._data):
            raise BadMessageError
        self._at = end
        return self._data[start:end]

    def attributes(self) -> Attributes:
        """Return the next attributes (section 5); what they lack is None."""
        flags = self.uint32()
        size = self.uint64() if flags & 1 else None
        if flags & 2:
            self.uint64()  # uid and gid
        if flags & 4:
            self.uint32()  # permissions
        moment = None
        if flags & 8:
            self.uint32()  # access time
            moment = datetime.fromtimestamp(self.uint32(), UTC)
        return Attributes(size=size, modified_at=moment)

    def _unpack(self, form: struct.Struct) -> int:
        try:
            (value,) = form.unpack_from(self._data, self._at)
        except struct.error:
            raise BadMessageError from None
        self._at += form.size
        return int(value)


def _string(data: bytes) -> bytes:
    return _UINT32.pack(len(data)) + data


def _framed(kind: Reply, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return LENGTH.pack(len(body) + 1) + bytes((kind,)) + body


def version() -> bytes:
    """Return the answer to INIT."""
    return _framed(Reply.VERSION, _UINT32.pack(VERSION), *(_string(part) for pair in EXTENSIONS for part in pair))


def status(request: int, code: Status, text: str = "") -> bytes:
    """Return a status reply."""
    return _framed(Reply.STATUS, _UINT32.pack(request), _UINT32.pack(code), _string(text.encode()), _string(b"en"))


def handle(request: int, value: bytes) -> bytes:
    """Return a handle reply."""
    return _framed(Reply.HANDLE, _UINT32.pack(request), _string(value))


def data(request: int, value: bytes) -> bytes:
    """Return a data reply."""
    return _framed(Reply.DATA, _UINT32.pack(request), _string(value))


def limits(request: int) -> bytes:
    """Return the answer to `limits@openssh.com`: packet, read, write, handles."""
    return _framed(Reply.EXTENDED, _UINT32.pack(request), _LIMITS.pack(MAX_PACKET, MAX_DATA, MAX_DATA, MAX_HANDLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A name as a client sees it; `size` None means a folder."""

    name: str
    size: int | None = None
    modified_at: datetime | None = None

    def attributes(self) -> bytes:
        """Return the attributes: size, mode and times; of a bare name nothing."""
        if self.modified_at is None:
            return _UINT32.pack(0)
        seconds = _UINT32.pack(int(self.modified_at.timestamp()) & 0xFFFFFFFF)
        mode = 0o040700 if self.size is None else 0o100600
        return _UINT32.pack(1 | 4 | 8) + _UINT64.pack(self.size or 0) + _UINT32.pack(mode) + seconds + seconds

    def long_name(self, owner: str) -> str:
        """Return the line that `ls -l` would show; FileZilla and psftp read it."""
        if self.modified_at is None:
            return self.name
        mode = "drwx------" if self.size is None else "-rw-------"
        month = _MONTHS[self.modified_at.month - 1]
        moment = f"{month} {self.modified_at:%d %H:%M}"
        return f"{mode} 1 {owner:<8} {owner:<8} {self.size or 0:>12} {moment} {self.name}"


def names(request: int, entries: list[Shown], owner: str) -> bytes:
    """Return a reply with names, as READDIR and REALPATH get it."""
    parts = [
        _string(entry.name.encode()) + _string(entry.long_name(owner).encode()) + entry.attributes()
        for entry in entries
    ]
    return _framed(Reply.NAME, _UINT32.pack(request), _UINT32.pack(len(parts)), *parts)


def attributes(request: int, entry: Shown) -> bytes:
    """Return a reply with attributes."""
    return _framed(Reply.ATTRS, _UINT32.pack(request), entry.attributes())

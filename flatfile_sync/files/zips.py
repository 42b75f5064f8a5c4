"""The one file in a zip, found through the central directory (PKWARE APPNOTE.TXT 6.3.10).

No name in the archive is ever used as a path, and the directory is read only if it is small. Folders, and the shadow
files that macOS adds, are no members.
"""

import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.layers import Layer
from flatfile_sync.files.streams import DECODERS, Decoder, decoded, deflate_decoder
from flatfile_sync.files.tape import Tape

_END: Final = struct.Struct("<4s4H2LH")  # section 4.3.16
_LOCATOR: Final = struct.Struct("<4sLQL")  # 4.3.15
_END64: Final = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_LOCAL: Final = struct.Struct("<4s5H3L2H")  # 4.3.7
_COMMENT: Final = 0xFFFF
_BIG: Final = 0xFFFFFFFF
_MAX_DIRECTORY: Final = 1 << 20
_SECRET: Final = 0x0001 | 0x0040 | 0x2000  # encrypted, strongly encrypted, directory encrypted (4.4.4)
_UNIX: Final = 3
_STORED: Final = 0
_METHODS: Final[dict[int, Callable[[], Decoder]]] = {
    8: deflate_decoder,
    12: DECODERS[Layer.BZIP2],
    93: DECODERS[Layer.ZSTD],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Directory:
    offset: int
    size: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    made_by: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    attributes: int
    offset: int
    name: bytes

    @property
    def counts(self) -> bool:
        return not self.name.endswith((b"/", b"\\")) and not self.name.startswith(b"__MACOSX/")

    @property
    def obstacle(self) -> str:
        """Why the member cannot be taken, or nothing."""
        if self.flags & _SECRET:
            return "its member is encrypted with a password"
        if self.made_by >> 8 == _UNIX and stat.S_ISLNK(self.attributes >> 16):
            return "its member is a link"
        if self.method != _STORED and self.method not in _METHODS:
            return f"its member is packed by method {self.method}"
        return ""


def member_tape(handle: BinaryIO, size: int, *, max_members: int) -> tuple[Tape, Iterator[bytes | Issue]] | Issue:
    """Return the packed bytes of the only member and what they hold, or what is wrong with the archive."""
    directory = _directory(handle, size)
    if isinstance(directory, Issue):
        return directory
    member = _only_member(handle, directory, max_members)
    if isinstance(member, Issue):
        return member
    if member.offset + _LOCAL.size > directory.offset:
        return _damaged(directory.offset, "its member lies outside the archive")
    handle.seek(member.offset)
    signature, *_, name, extra = _LOCAL.unpack(handle.read(_LOCAL.size))
    start = member.offset + _LOCAL.size + name + extra
    if signature != b"PK\x03\x04" or start + member.packed > directory.offset:
        return _damaged(member.offset, "no member begins there, or it overlaps the directory")
    tape = Tape(handle, start, start + member.packed)
    return tape, _content(tape, member)


def _only_member(handle: BinaryIO, directory: _Directory, max_members: int) -> _Member | Issue:
    if directory.entries > max_members or directory.size > _MAX_DIRECTORY:
        return issue("F12", found=directory.entries)
    members = _members(handle, directory)
    if isinstance(members, Issue):
        return members
    members = [member for member in members if member.counts]
    if len(members) != 1:
        return issue("F12", found=len(members))
    if members[0].obstacle:
        return issue("F14", layer=Layer.ZIP, offset=members[0].offset, reason=members[0].obstacle)
    return members[0]


def _content(tape: Tape, member: _Member) -> Iterator[bytes | Issue]:
    size = crc = 0
    make = _METHODS.get(member.method)
    for found in decoded(tape, make, Layer.ZIP) if make else _stored(tape):
        if isinstance(found, bytes):
            size, crc = size + len(found), zlib.crc32(found, crc)
        yield found
        if isinstance(found, Issue):
            return
    if (size, crc) != (member.size, member.crc):
        yield _damaged(tape.start, "size or checksum of the member do not fit")


def _stored(tape: Tape) -> Iterator[bytes]:
    while block := tape.read():
        yield block


def _directory(handle: BinaryIO, size: int) -> _Directory | Issue:
    """Return where the central directory lies, by the record at the end of the archive."""
    begin = max(0, size - _COMMENT - _END.size)
    handle.seek(begin)
    tail = handle.read(size - begin)
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        return issue("F11", layer=Layer.ZIP, offset=size)
    _, disk, _, _, entries, length, offset, _ = _END.unpack_from(tail, place)
    at = begin + place
    if _BIG in (length, offset) or entries == _COMMENT:
        handle.seek(max(0, at - _LOCATOR.size))
        locator = handle.read(_LOCATOR.size)
        if locator.startswith(b"PK\x06\x07") and at >= _LOCATOR.size:
            at = _LOCATOR.unpack(locator)[2]
            handle.seek(min(at, size))
            record = handle.read(_END64.size)
            if len(record) < _END64.size or not record.startswith(b"PK\x06\x06"):
                return _damaged(min(at, size), "no end record stands there")
            _, _, _, _, disk, _, _, entries, length, offset = _END64.unpack(record)
    if disk:
        return issue("F14", layer=Layer.ZIP, offset=at, reason="it is one of several volumes")
    if offset + length > at:
        return _damaged(at, "its directory lies outside the archive")
    return _Directory(offset=offset, size=length, entries=entries)


def _members(handle: BinaryIO, directory: _Directory) -> list[_Member] | Issue:
    handle.seek(directory.offset)
    data = handle.read(directory.size)
    members: list[_Member] = []
    place = 0
    while place < len(data):
        if len(data) - place < _CENTRAL.size or data[place : place + 4] != b"PK\x01\x02":
            return _damaged(directory.offset + place, "its directory is not readable")
        (_, made_by, _, flags, method, _, _, crc, packed, size, name, extra, comment, _, _, attributes, offset) = (
            _CENTRAL.unpack_from(data, place)
        )
        place += _CENTRAL.size
        sizes = _extended((size, packed, offset), data[place + name : place + name + extra])
        members.append(
            _Member(
                made_by=made_by,
                flags=flags,
                method=method,
                crc=crc,
                size=sizes[0],
                packed=sizes[1],
                offset=sizes[2],
                attributes=attributes,
                name=data[place : place + name],
            )
        )
        place += name + extra + comment
    if len(members) != directory.entries:
        return _damaged(directory.offset, f"its directory lists {len(members)} members instead of {directory.entries}")
    return members


def _extended(values: tuple[int, int, int], extra: bytes) -> list[int]:
    """Return size, packed size and offset; those that do not fit in four bytes stand in the extra field (4.5.3)."""
    while len(extra) >= 4:  # noqa: PLR2004 - the header of a field
        kind, length = struct.unpack_from("<2H", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{len(body) // 8}Q", body))
            return [next(wide, value) if value == _BIG else value for value in values]
    return list(values)


def _damaged(offset: int, reason: str) -> Issue:
    return issue("F10", layer=Layer.ZIP, offset=offset, reason=reason)

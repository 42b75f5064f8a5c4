"""One SFTP channel's requests, one after the other: bytes in, the reply's bytes out.

Nothing here knows SSH, so tests speak to it in raw packets. Every request gets exactly one reply, whatever happens;
what is not listed in `_verbs` is answered "unsupported".
"""

import itertools
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from flatfile_sync.domain.failures import LostTurnError, Refused, TemporaryFailure
from flatfile_sync.sftp import packets
from flatfile_sync.sftp.namespace import NoSuchFileError, NotAllowedError, normalise
from flatfile_sync.sftp.packets import BadMessageError, Fields, Request, Shown, Status
from flatfile_sync.sftp.session import Handle, OpenFlags, Session

_READ, _WRITE, _APPEND, _CREATE, _TRUNCATE, _EXCLUSIVE = 1, 2, 4, 8, 16, 32
_NAMES_AT_ONCE: Final = 100
_NO_HANDLE: Final = "no such handle"

T = TypeVar("T")
_Verb = Callable[[int, Fields], Awaitable[bytes]]

_log = structlog.get_logger()


class _EndOfFileError(Exception):
    """Nothing is left to read."""


class Protocol:
    """The requests of one channel, for one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._owner = session.account.name
        self._numbers = itertools.count(1)
        self._files: dict[bytes, Handle] = {}
        self._folders: dict[bytes, list[Shown]] = {}
        self._begun = False
        self._verbs: Final[dict[int, _Verb]] = {
            Request.OPEN: self._open,
            Request.CLOSE: self._close,
            Request.READ: self._read,
            Request.WRITE: self._write,
            Request.LSTAT: self._stat,
            Request.FSTAT: self._fstat,
            Request.SETSTAT: self._setstat,
            Request.FSETSTAT: self._fsetstat,
            Request.OPENDIR: self._opendir,
            Request.READDIR: self._readdir,
            Request.REMOVE: self._remove,
            Request.MKDIR: self._mkdir,
            Request.RMDIR: self._rmdir,
            Request.REALPATH: self._realpath,
            Request.STAT: self._stat,
            Request.RENAME: self._rename,
            Request.EXTENDED: self._extended,
        }
        self._extensions: Final[dict[bytes, _Verb]] = {
            b"posix-rename@openssh.com": self._rename,
            b"fsync@openssh.com": self._fsync,
            b"limits@openssh.com": self._limits,
        }

    async def answer(self, packet: bytes) -> bytes | None:
        """Return the framed reply to one request (its type byte first), or None if the channel must end."""
        if not self._begun:
            self._begun = packet[:1] == bytes((Request.INIT,))
            return packets.version() if self._begun else None
        if len(packet) < 1 + packets.LENGTH.size:
            return None
        fields = Fields(packet, 1)
        number = fields.uint32()
        try:
            verb = self._verbs.get(packet[0])
            if verb is None:
                return packets.status(number, Status.OP_UNSUPPORTED, "this server does not do that")
            return await verb(number, fields)
        except Exception as error:  # noqa: BLE001 - a client always gets its answer
            return packets.status(number, *_told(error))

    # Files.

    async def _open(self, number: int, fields: Fields) -> bytes:
        path, bits = fields.string(), fields.uint32()
        if len(self._files) + len(self._folders) >= packets.MAX_HANDLES:
            raise Refused(f"at most {packets.MAX_HANDLES} files are open at a time")
        flags = OpenFlags(
            write=bool(bits & (_WRITE | _APPEND)),
            append=bool(bits & _APPEND),
            create=bool(bits & _CREATE),
            truncate=bool(bits & _TRUNCATE),
            exclusive=bool(bits & _EXCLUSIVE),
        )
        handle = await self._session.open(path, flags)
        return packets.handle(number, self._keep(self._files, handle))

    async def _close(self, number: int, fields: Fields) -> bytes:
        name = fields.string()
        if self._folders.pop(name, None) is None:
            handle = self._files.pop(name, None)
            if handle is None:
                raise Refused(_NO_HANDLE)
            await self._session.close(handle)
        return packets.status(number, Status.OK)

    async def _read(self, number: int, fields: Fields) -> bytes:
        handle, offset, length = self._file(fields), fields.uint64(), fields.uint32()
        data = await self._session.read(handle, offset, min(length, packets.MAX_DATA))
        if not data and length:
            raise _EndOfFileError
        return packets.data(number, data)

    async def _write(self, number: int, fields: Fields) -> bytes:
        handle, offset, data = self._file(fields), fields.uint64(), fields.string()
        await self._session.write(handle, offset, data)
        return packets.status(number, Status.OK)

    async def _fstat(self, number: int, fields: Fields) -> bytes:
        return packets.attributes(number, self._session.describe(self._file(fields)))

    async def _fsetstat(self, number: int, fields: Fields) -> bytes:
        handle, told = self._file(fields), fields.attributes()
        await self._session.change_handle(handle, size=told.size, modified_at=told.modified_at)
        return packets.status(number, Status.OK)

    async def _fsync(self, number: int, fields: Fields) -> bytes:
        await self._session.sync(self._file(fields))
        return packets.status(number, Status.OK)

    # Names.

    async def _stat(self, number: int, fields: Fields) -> bytes:
        return packets.attributes(number, await self._session.stat(fields.string()))

    async def _setstat(self, number: int, fields: Fields) -> bytes:
        path, told = fields.string(), fields.attributes()
        await self._session.change(path, size=told.size, modified_at=told.modified_at)
        return packets.status(number, Status.OK)

    async def _opendir(self, number: int, fields: Fields) -> bytes:
        path = fields.string()
        if len(self._files) + len(self._folders) >= packets.MAX_HANDLES:
            raise Refused(f"at most {packets.MAX_HANDLES} files are open at a time")
        # Looked up at once: a client that opens a missing folder hears it here, not at the first read.
        entries = await self._session.listing(path)
        return packets.handle(number, self._keep(self._folders, entries))

    async def _readdir(self, number: int, fields: Fields) -> bytes:
        entries = self._folders.get(fields.string())
        if entries is None:
            raise Refused(_NO_HANDLE)
        if not entries:
            raise _EndOfFileError
        page = entries[:_NAMES_AT_ONCE]
        del entries[:_NAMES_AT_ONCE]
        return packets.names(number, page, self._owner)

    async def _remove(self, number: int, fields: Fields) -> bytes:
        await self._session.remove(fields.string())
        return packets.status(number, Status.OK)

    async def _rename(self, number: int, fields: Fields) -> bytes:
        await self._session.rename(fields.string(), fields.string())
        return packets.status(number, Status.OK)

    async def _mkdir(self, number: int, fields: Fields) -> bytes:
        await self._session.make_folder(fields.string())
        return packets.status(number, Status.OK)

    async def _rmdir(self, _number: int, fields: Fields) -> bytes:
        await self._session.stat(fields.string())
        raise NotAllowedError("folders are those of the feeds")

    async def _realpath(self, number: int, fields: Fields) -> bytes:
        return packets.names(number, [Shown(name=normalise(fields.string()))], self._owner)

    async def _extended(self, number: int, fields: Fields) -> bytes:
        verb = self._extensions.get(fields.string())
        if verb is None:
            return packets.status(number, Status.OP_UNSUPPORTED, "this server does not do that")
        return await verb(number, fields)

    async def _limits(self, number: int, _fields: Fields) -> bytes:
        return packets.limits(number)

    # Parts.

    def _file(self, fields: Fields) -> Handle:
        handle = self._files.get(fields.string())
        if handle is None:
            raise Refused(_NO_HANDLE)
        return handle

    def _keep(self, where: dict[bytes, T], value: T) -> bytes:
        name = next(self._numbers).to_bytes(4, "big")
        where[name] = value
        return name


# What a client hears of an error: the door's one table from our errors to its language; None = the error's own words.
_TOLD: Final[tuple[tuple[type[Exception], Status, str | None], ...]] = (
    (_EndOfFileError, Status.EOF, "end of file"),
    (BadMessageError, Status.BAD_MESSAGE, "the request ends too early"),
    (NoSuchFileError, Status.NO_SUCH_FILE, None),
    (NotAllowedError, Status.PERMISSION_DENIED, None),
    (Refused, Status.FAILURE, None),
    (LostTurnError, Status.FAILURE, "it was taken meanwhile, see the outbox"),
    (TemporaryFailure, Status.FAILURE, "the server is stopping"),
    (OSError, Status.FAILURE, "the server could not write or read its disk"),
)


def _told(error: Exception) -> tuple[Status, str]:
    for kind, code, text in _TOLD:
        if isinstance(error, kind):
            if kind is OSError:
                _log.error("door_disk_failed", error=str(error))
            return code, str(error) if text is None else text
    _log.error("door_failed", exc_info=error)
    return Status.FAILURE, "internal error"

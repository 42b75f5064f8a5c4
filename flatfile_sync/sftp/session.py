"""What one logged-in account may do: the verbs behind the requests of the protocol."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from flatfile_sync.domain.drop import Upload
from flatfile_sync.domain.failures import ConfigurationError, Refused
from flatfile_sync.domain.states import UploadState, UploadVerdict
from flatfile_sync.pipeline import receive
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.receive import ACCEPTED, Place
from flatfile_sync.sftp.namespace import (
    OUTBOX,
    WITH_FOLDERS,
    WRITABLE,
    ZONES,
    Folder,
    NoSuchFileError,
    NotAllowedError,
    check_new_name,
    locate,
)
from flatfile_sync.sftp.packets import Shown
from flatfile_sync.sftp.writing import Writing
from flatfile_sync.store import artefacts, uploads
from flatfile_sync.store.accounts import Account
from flatfile_sync.store.artefacts import Artefact
from flatfile_sync.store.database import Connection

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFlags:
    """The flags of an open request (draft-ietf-secsh-filexfer-02, section 6.3)."""

    write: bool
    append: bool
    create: bool
    truncate: bool
    exclusive: bool


class UploadHandle:
    """An upload under way."""

    def __init__(self, upload: Upload, writing: Writing) -> None:
        self.upload = upload
        self.writing = writing
        self.modified_at: datetime | None = None


class ReportHandle:
    """An artefact that is being read."""

    def __init__(self, artefact: Artefact, descriptor: int) -> None:
        self.artefact = artefact
        self.descriptor = descriptor


Handle = UploadHandle | ReportHandle


class Session:
    """One channel of an account. Raises `Refused` (and its kinds in `namespace`) for what is not to be had."""

    def __init__(self, account: Account, *, kit: Kit) -> None:
        self.account = account
        self._kit = kit
        self._open: set[Handle] = set()

    # Looking.

    async def stat(self, path: bytes) -> Shown:
        """Return what a path names."""
        place = self._locate(path)
        if isinstance(place, Folder):
            return Shown(name=place.feed or place.zone or "/", size=None, modified_at=self._kit.clock())
        found = await self._find(place)
        if found is None:
            raise NoSuchFileError("no such file")
        return _entry(found)

    async def listing(self, path: bytes) -> list[Shown]:
        """Return what a folder shows: sub-folders first, then files by name."""
        folder = self._locate(path)
        if isinstance(folder, Place):
            if await self._find(folder) is None:
                raise NoSuchFileError("no such folder")
            raise Refused("not a folder")
        now = self._kit.clock()
        if folder.zone is None:
            return [Shown(name=zone, size=None, modified_at=now) for zone in ZONES]
        names = self._feeds() if folder.feed is None and folder.zone in WITH_FOLDERS else ()
        folders = [Shown(name=name, size=None, modified_at=now) for name in names]
        found = await self._kit.store.read(lambda conn: self._files(conn, folder, now))
        return [*folders, *map(_entry, found)]

    # Files.

    async def open(self, path: bytes, flags: OpenFlags) -> Handle:
        """Open an upload to write or a report to read."""
        place = self._locate(path)
        if isinstance(place, Folder):
            raise Refused("this is a folder")
        handle: Handle
        if flags.write:
            handle = await self._begin(place, flags)
        else:
            handle = await self._read_report(place)
        self._open.add(handle)
        return handle

    async def read(self, handle: Handle, offset: int, length: int) -> bytes:
        """Return at most `length` bytes from an offset; empty at the end."""
        if isinstance(handle, UploadHandle):
            return await handle.writing.read(offset, length)
        return await asyncio.to_thread(os.pread, handle.descriptor, length, offset)

    async def write(self, handle: Handle, offset: int, data: bytes) -> None:
        """Write bytes of an upload."""
        if not isinstance(handle, UploadHandle):
            raise NotAllowedError("opened for reading")
        await handle.writing.write(offset, data)

    async def sync(self, handle: Handle) -> None:
        """Bring what is written so far to the disk."""
        if isinstance(handle, UploadHandle):
            await asyncio.to_thread(os.fsync, handle.writing.descriptor)

    async def close(self, handle: Handle) -> None:
        """Close by the client's own word: an upload is handed over, and refused if it is not whole."""
        self._open.discard(handle)
        if isinstance(handle, ReportHandle):
            await asyncio.to_thread(os.close, handle.descriptor)
            return
        try:
            await self._hand_over(handle)
        except BaseException as error:
            reason = str(error) if isinstance(error, Refused) else "the server could not keep it"
            await asyncio.shield(self._abandon(handle, reason))
            raise
        await asyncio.to_thread(os.close, handle.writing.descriptor)

    async def end(self, reason: str) -> None:
        """Let go of everything that the client did not close itself; uploads are abandoned."""
        left, self._open = self._open, set()
        for handle in left:
            if isinstance(handle, ReportHandle):
                await asyncio.to_thread(os.close, handle.descriptor)
            else:
                await self._abandon(handle, reason)

    def describe(self, handle: Handle) -> Shown:
        """Return what an open handle stands for now."""
        if isinstance(handle, ReportHandle):
            return _entry(handle.artefact)
        upload, size = handle.upload, handle.writing.whole
        return Shown(name=upload.name, size=size, modified_at=handle.modified_at or upload.modified_at)

    async def change_handle(self, handle: Handle, *, size: int | None, modified_at: datetime | None) -> None:
        """Set an open upload's size or time; modes and owners mean nothing here."""
        if isinstance(handle, UploadHandle):
            if size is not None:
                await handle.writing.cut(size)
            handle.modified_at = modified_at or handle.modified_at

    # Names.

    async def change(self, path: bytes, *, size: int | None, modified_at: datetime | None) -> None:
        """Set the time of an upload; its size only on an open handle."""
        place = self._locate(path)
        found = None if isinstance(place, Folder) else await self._find(place)
        if isinstance(place, Place) and found is None:
            raise NoSuchFileError("no such file")
        if not isinstance(found, Upload):
            return
        if size is not None and size != found.size:
            raise NotAllowedError("a file is cut while it is open")
        if modified_at is not None:
            await self._kit.store.write(lambda conn: uploads.change(conn, found.id, modified_at=modified_at))

    async def remove(self, path: bytes) -> None:
        """Take an upload back before it is claimed, or delete a report."""
        place = self._locate(path)
        if isinstance(place, Folder):
            raise Refused("this is a folder")
        found = await self._find(place)
        if found is None:
            raise NoSuchFileError("no such file")
        if isinstance(found, Upload):
            own = next((one for one in self._open if isinstance(one, UploadHandle) and one.upload.id == found.id), None)
            if own is not None:
                # rclone removes what failed while its handle is still open.
                self._open.discard(own)
                await self._abandon(own, "removed by the client")
                return
            await receive.remove(self.account, place, kit=self._kit)
        elif found.zone == OUTBOX:
            key = (found.account, found.zone, found.feed, found.name)
            await self._kit.store.write(lambda conn: artefacts.delete(conn, *key))
        else:
            raise NotAllowedError(f"{found.zone} is read-only")

    async def rename(self, path: bytes, to: bytes) -> None:
        """Rename an upload; a final name hands it over."""
        place, target = self._locate(path), self._locate(to)
        if isinstance(place, Folder) or isinstance(target, Folder):
            raise Refused("folders keep their names")
        if await self._find(place) is None:
            raise NoSuchFileError("no such file")
        if place.zone not in WRITABLE:
            raise NotAllowedError("only what is in the inbox can be renamed")
        check_new_name(target.name)
        await receive.rename(self.account, place, target, kit=self._kit)

    async def make_folder(self, path: bytes) -> None:
        """Folders are those of the feeds; making one that is there fails in a way that clients take."""
        if isinstance(self._locate(path), Folder):
            raise Refused("the folder exists")
        raise NotAllowedError("folders are those of the feeds")

    # Parts.

    def _feeds(self) -> Sequence[str]:
        try:
            known = [feed.name for feed in self._kit.projects.current(self.account.project).feeds]
        except ConfigurationError as error:
            log.warning("project_broken", project=self.account.project, reason=str(error))
            return ()
        return sorted(name for name in known if not self.account.feeds or name in self.account.feeds)

    def _locate(self, path: bytes) -> Folder | Place:
        return locate(path, self._feeds())

    async def _find(self, place: Place) -> Upload | Artefact | None:
        if place.zone in WRITABLE:
            return await receive.look(self.account, place, kit=self._kit)
        key = (self.account.name, place.zone, place.folder or "", place.name)
        return await self._kit.store.read(lambda conn: artefacts.find(conn, *key))

    def _files(self, conn: Connection, folder: Folder, now: datetime) -> Sequence[Upload | Artefact]:
        zone = str(folder.zone)
        if zone in WRITABLE:
            return uploads.listing(conn, self.account.name, zone, folder.feed, now=now)
        return artefacts.listing(conn, self.account.name, zone, folder.feed or "")

    async def _begin(self, place: Place, flags: OpenFlags) -> UploadHandle:
        if place.zone not in WRITABLE:
            raise NotAllowedError("files are put into inbox or dryrun")
        check_new_name(place.name)
        known = await receive.look(self.account, place, kit=self._kit)
        broken = known is not None and known.verdict is UploadVerdict.ABANDONED
        if flags.exclusive and known is not None and not broken:
            raise Refused("a file of this name exists")
        # scp opens without truncating, then cuts the file to its size; OpenSSH's reput goes on where it ended.
        goes_on = not flags.truncate and known is not None and (broken or known.state is not UploadState.DONE)
        if not goes_on and flags.append and known is not None:
            raise Refused(ACCEPTED)
        if not goes_on and not flags.create:
            raise NoSuchFileError("no such file")
        upload, descriptor = await receive.begin(self.account, place, resume=goes_on, kit=self._kit)
        size = await asyncio.to_thread(lambda: os.fstat(descriptor).st_size)
        return UploadHandle(upload, Writing(descriptor, size=size))

    async def _read_report(self, place: Place) -> ReportHandle:
        found = await self._find(place)
        if found is None:
            raise NoSuchFileError("no such file")
        if isinstance(found, Upload):
            raise NotAllowedError("what was sent is read in the archive")
        try:
            descriptor = await asyncio.to_thread(self._kit.spool.open, found.blob)
        except FileNotFoundError:
            # Replaced or expired between the look and the open.
            raise NoSuchFileError("no such file") from None
        return ReportHandle(found, descriptor)

    async def _hand_over(self, handle: UploadHandle) -> None:
        size, sha256 = await handle.writing.finish()
        descriptor = handle.writing.descriptor
        ended = await asyncio.to_thread(self._kit.spool.ends_with_newline, descriptor)
        upload = handle.upload
        await receive.close(self.account, upload, descriptor, size=size, sha256=sha256, ended=ended, kit=self._kit)
        moment = handle.modified_at
        if moment is not None:
            await self._kit.store.write(lambda conn: uploads.change(conn, upload.id, modified_at=moment))

    async def _abandon(self, handle: UploadHandle, reason: str) -> None:
        try:
            await receive.abandon(handle.upload, size=handle.writing.whole, reason=reason, kit=self._kit)
        finally:
            await asyncio.to_thread(os.close, handle.writing.descriptor)


def _entry(found: Upload | Artefact) -> Shown:
    if isinstance(found, Upload):
        return Shown(name=found.name, size=found.size, modified_at=found.modified_at)
    return Shown(name=found.name, size=found.size, modified_at=found.created_at)

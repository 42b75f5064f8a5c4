"""The spool in a local folder: `incoming/` while a client writes, `blobs/` for good, `work/<drop>/` in between."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from flatfile_sync.domain import faults

_MODE = 0o600
_FOLDER_MODE = 0o700


class Spool:
    """Bytes of one data folder. Functions block; call them from a thread where the loop must not wait."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for area in ("incoming", "blobs", "work"):
            (root / area).mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    # Uploads: a client writes at any offset, then the file is kept for good or dropped.

    def create(self, blob: str) -> int:
        """Create the empty file of an upload and return its descriptor, open for reading and writing."""
        path = self._shard("incoming", blob)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)

    def resume(self, blob: str) -> int:
        """Reopen an upload for writing and return its descriptor; one that was kept already is taken back first."""
        if not self._shard("incoming", blob).exists():
            self._unkeep(blob)
        return os.open(self._shard("incoming", blob), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)

    def keep(self, blob: str, descriptor: int) -> None:
        """Make an upload a blob: its bytes and its name are on disk when this returns."""
        os.fsync(descriptor)
        faults.point("spool.keep.synced")
        self._move(self._shard("incoming", blob), blob)

    # Blobs: written once, never changed.

    def path(self, blob: str) -> Path:
        """Return where a blob's bytes are."""
        return self._shard("blobs", blob)

    def open(self, blob: str) -> int:
        """Open a blob for reading and return its descriptor."""
        return os.open(self.path(blob), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def head(self, blob: str, size: int) -> bytes:
        """Return the first bytes of a blob."""
        with self.path(blob).open("rb", buffering=0) as handle:
            return handle.read(size) or b""

    def size(self, blob: str) -> int:
        """Return how many bytes of an upload under way are there; 0 if it has no file (yet)."""
        try:
            return self._shard("incoming", blob).stat().st_size
        except FileNotFoundError:
            return 0

    @staticmethod
    def ends_with_newline(descriptor: int) -> bool:
        """Return whether the last byte of an open file is a line end; an empty file has none missing."""
        size = os.fstat(descriptor).st_size
        return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"

    @staticmethod
    def close(descriptor: int) -> None:
        """Close a descriptor that this spool gave out."""
        os.close(descriptor)

    def put(self, blob: str, data: bytes, *, durable: bool = True) -> str:
        """Store bytes as a blob (replacing one of that name) and return their sha256."""
        part = self._shard("incoming", blob)
        write_file(part, data, durable=durable)
        if durable:
            self._move(part, blob)
        else:
            part.rename(self.path(blob))
        return hashlib.sha256(data).hexdigest()

    def adopt(self, file: Path, blob: str) -> None:
        """Turn a file of the work area into a blob."""
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        self._move(file, blob)

    def delete(self, blob: str) -> None:
        """Remove a blob or an unfinished upload; it may be gone already."""
        self.path(blob).unlink(missing_ok=True)
        self._shard("incoming", blob).unlink(missing_ok=True)

    # Work: what the steps of one drop hand to each other.

    def work(self, drop_id: str) -> Path:
        """Return the work folder of a drop, made if needed."""
        folder = self.root / "work" / drop_id
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        return folder

    def secure_work(self, drop_id: str, names: Iterable[str]) -> None:
        """Make files of a drop's work folder durable: bytes, names and the folder itself."""
        folder = self.work(drop_id)
        for name in names:
            with (folder / name).open("rb") as handle:
                os.fsync(handle.fileno())
        sync_folder(folder)
        sync_folder(folder.parent)

    def clear_work(self, drop_id: str) -> None:
        """Remove a drop's work folder."""
        shutil.rmtree(self.root / "work" / drop_id, ignore_errors=True)

    # Housekeeping: what lies there, whoever names it.

    def stored_before(self, moment: datetime) -> list[str]:
        """Return the blobs and unfinished uploads whose bytes were last written before a moment."""
        areas = (self.root / "incoming", self.root / "blobs")
        return sorted({file.name for area in areas for file in area.glob("*/*") if _older(file, moment)})

    def worked_before(self, moment: datetime) -> list[str]:
        """Return the drops whose work folder was last changed before a moment."""
        return sorted(folder.name for folder in (self.root / "work").iterdir() if _older(folder, moment))

    def free_bytes(self) -> int:
        """Return how many bytes the file system still has for us."""
        stats = os.statvfs(self.root)
        return stats.f_bavail * stats.f_frsize

    def _unkeep(self, blob: str) -> None:
        target = self._shard("incoming", blob)
        source = self.path(blob)
        source.rename(target)
        sync_folder(target.parent)
        sync_folder(source.parent)

    def _shard(self, area: str, blob: str) -> Path:
        folder = self.root / area / blob[:2]
        if not folder.is_dir():
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            sync_folder(folder.parent)
        return folder / blob

    def _move(self, source: Path, blob: str) -> None:
        target = self.path(blob)
        source.rename(target)
        faults.point("spool.renamed")
        sync_folder(target.parent)


def write_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file under its own name, with its bytes on disk if `durable`; the folder is not synced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _older(path: Path, moment: datetime) -> bool:
    try:
        return path.stat().st_mtime < moment.timestamp()
    except FileNotFoundError:
        return False  # somebody else removed it just now


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The names a partner sees: artefacts, temporary names, rejects that come back."""

import hashlib
import re
from datetime import datetime

from flatfile_sync.domain.clock import stamp

# The file contract, section 4: names that clients use while they are still writing.
_TEMPORARY_ENDINGS = (".tmp", ".part", ".partial", ".filepart", ".writing", ".prg", ".uploading", ".crdownload")
_TEMPORARY_STARTS = (".", "~", "_")
_REJECTS = re.compile(r"(?P<stem>.+\.\d{8}T\d{6}Z-(?P<short>[0-9a-f]{8}))\.rejects\.csv$")
FORCE = ".force"


def is_temporary(name: str) -> bool:
    """Return whether a file of this name is still being written by its client and waits for a rename."""
    return name.startswith(_TEMPORARY_STARTS) or name.lower().endswith(_TEMPORARY_ENDINGS)


def result_name(file_name: str, received_at: datetime, drop_id: str) -> str:
    """Return the stem of the drop's artefacts: full file name, UTC stamp, first eight digits of the drop id.

    A rejects file that comes back keeps the name of the file it began as, so that names do not grow.
    """
    origin = _REJECTS.search(file_name)
    if origin:
        file_name = origin["stem"].rsplit(".", 1)[0]
    return f"{file_name}.{stamp(received_at)}-{drop_id[:8]}"


def rejects_parent(file_name: str) -> str | None:
    """Return the `result_name` of the drop whose rejects file this is, or None if it is not one."""
    origin = _REJECTS.search(file_name)
    return origin["stem"] if origin else None


def new_pass_id(drop_id: str, record: int) -> str:
    """Return the id of the pass that a record creates: the same after any restart, and not to be guessed."""
    return hashlib.blake2b(f"{drop_id}/{record}".encode(), digest_size=16).hexdigest()

"""What a client's path means: a pure function. No path of a client ever reaches the file system."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from flatfile_sync.domain.failures import Refused
from flatfile_sync.pipeline.receive import DRY_RUN, Place

INBOX: Final = "inbox"
OUTBOX: Final = "outbox"
ARCHIVE: Final = "archive"
EXPORTS: Final = "exports"
ZONES: Final = (ARCHIVE, DRY_RUN, EXPORTS, INBOX, OUTBOX)
WRITABLE: Final = (INBOX, DRY_RUN)
# Zones whose files lie in folders of the feeds too.
WITH_FOLDERS: Final = (DRY_RUN, INBOX, OUTBOX)

_MAX_BYTES: Final = 200
_FORBIDDEN: Final = re.compile(r'[\\/:*<>|?"]')
# Names that no Windows client could ever fetch back (naming a file, Win32).
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


class NoSuchFileError(Refused):
    """Nothing of that name is to be seen by this account."""


class NotAllowedError(Refused):
    """It is there, but it may not be done."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The root (`zone` None), a zone, or the folder of a feed in a zone."""

    zone: str | None = None
    feed: str | None = None


def normalise(path: bytes) -> str:
    """Return the absolute path that a client means, for names that exist and for those that do not."""
    try:
        text = unicodedata.normalize("NFC", path.decode("utf-8"))
    except UnicodeDecodeError:
        raise NoSuchFileError("names are UTF-8") from None
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def locate(path: bytes, feeds: Collection[str]) -> Folder | Place:
    """Return the folder or the place of a file that a path names; `feeds` are those the account may use.

    Raises `NoSuchFileError` for what cannot exist.
    """
    parts = normalise(path).split("/")[1:]
    match parts:
        case [""]:
            return Folder()
        case [zone] if zone in ZONES:
            return Folder(zone)
        case [zone, feed] if zone in WITH_FOLDERS and feed in feeds:
            return Folder(zone, feed)
        case [zone, name] if zone in ZONES:
            return Place(zone=zone, folder=None, name=name)
        case [zone, feed, name] if zone in WITH_FOLDERS and feed in feeds:
            return Place(zone=zone, folder=feed, name=name)
        case _:
            raise NoSuchFileError("no such file")


def check_new_name(name: str) -> None:
    """Raise `Refused` if a file may not be given this name."""
    if len(name.encode()) > _MAX_BYTES:
        raise Refused(f"a name has at most {_MAX_BYTES} bytes")
    if any(unicodedata.category(letter)[0] == "C" for letter in name):
        raise Refused("a name has no control or format characters")
    if _FORBIDDEN.search(name) or _DEVICES.fullmatch(name):
        raise Refused('a name has none of \\ / : * < > | ? " and is no device of Windows')
    if name != name.strip() or name.endswith("."):
        raise Refused("a name neither begins nor ends with a space, nor ends with a dot")

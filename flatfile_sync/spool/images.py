"""Images by the sha256 of their bytes: put once, never changed, kept while a pass may show them."""

import hashlib
import re
import secrets
from pathlib import Path
from typing import Final

from flatfile_sync.spool.local import sync_folder, write_file

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_FOLDER_MODE: Final = 0o700


class Images:
    """The images of a data folder. Functions block; call them from a thread where the loop must not wait."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes) -> str:
        """Keep an image and return its sha256; it is on disk when this returns."""
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if not path.exists():
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            part = path.with_suffix(f".{secrets.token_hex(8)}.part")
            write_file(part, data)
            part.rename(path)
            sync_folder(path.parent)
        return digest

    def get(self, digest: str) -> bytes | None:
        """Return the bytes of an image, None if it is not here; whatever is no digest is not."""
        if not _DIGEST.fullmatch(digest):
            return None
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            return None

    def __contains__(self, digest: str) -> bool:
        return bool(_DIGEST.fullmatch(digest)) and self._path(digest).exists()

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / f"{digest}.png"

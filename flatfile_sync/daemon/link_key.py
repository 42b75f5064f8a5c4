"""The key of add-to-wallet links, made once and kept beside the host keys."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from flatfile_sync.config.settings import Settings
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.links import KEY_BYTES, LinkKey
from flatfile_sync.pipeline.linking import Linker

LINK_KEY: Final = "link_key"


def linker(settings: Settings) -> Linker:
    """Return what links are made with; the key is made if it is not there."""
    web = settings.web
    return Linker(key=load_link_key(settings.data_folder), public_url=web.public_url, life=web.life)


def load_link_key(data_folder: Path) -> LinkKey:
    """Return the key of a data folder, made if it is not there; without it every link given out ends.

    Raises `ConfigurationError` for a key that others may read.
    """
    file = data_folder / LINK_KEY
    if not file.exists():
        _make(file)
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigurationError(f"{file}: mode is {mode:04o}, expected 0600; run `chmod 600 {file}`.")
    return LinkKey(bytes.fromhex(file.read_text("ascii")))


def _make(file: Path) -> None:
    """Write a key; of two who do so at the same time one wins, and nobody reads half of it."""
    part = file.with_suffix(f".{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_bytes(KEY_BYTES).hex())
            handle.flush()
            os.fsync(handle.fileno())
        with suppress(FileExistsError):
            os.link(part, file)
    finally:
        part.unlink()

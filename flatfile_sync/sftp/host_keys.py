"""The server's own keys: one file each, readable by its owner only."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncssh

from flatfile_sync.domain.failures import ConfigurationError

# ed25519 first; the others for clients that know no better (AWS connectors refuse ed25519).
_KINDS: Final[dict[str, tuple[str, dict[str, int]]]] = {
    "ed25519": ("ssh-ed25519", {}),
    "ecdsa": ("ecdsa-sha2-nistp256", {}),
    "rsa": ("ssh-rsa", {"key_size": 3072}),
}


def make(folder: Path) -> list[Path]:
    """Make the keys that are missing below a folder and return their files; a file is never half-written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for kind, (algorithm, options) in _KINDS.items():
        file = folder / f"host_key_{kind}"
        if file.exists():
            continue
        key = asyncssh.generate_private_key(algorithm, comment="flatfile-sync", **options)
        part = file.with_suffix(".new")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(key.export_private_key())
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(file)
        made.append(file)
    return made


def load(folder: Path) -> Sequence[asyncssh.SSHKey]:
    """Return the keys of a folder. Raises `ConfigurationError` if one is missing, damaged or readable by others."""
    keys = []
    for kind in _KINDS:
        file = folder / f"host_key_{kind}"
        try:
            mode = file.stat().st_mode & 0o777
            if mode & 0o077:
                raise ConfigurationError(f"{file}: mode is {mode:04o}, expected 0600; run `chmod 600 {file}`.")
            keys.append(asyncssh.read_private_key(file))
        except FileNotFoundError:
            raise ConfigurationError(f"{file}: is missing; `flatfile-sync init` makes it.") from None
        except (asyncssh.KeyImportError, OSError) as error:
            raise ConfigurationError(f"{file}: cannot be read as a private key: {error}") from None
    return keys


def fingerprints(folder: Path) -> dict[str, str]:
    """Return file name -> `SHA256:...` of each key, as OpenSSH shows it to who connects."""
    names = [f"host_key_{kind}" for kind in _KINDS]
    return {name: key.get_fingerprint() for name, key in zip(names, load(folder), strict=True)}

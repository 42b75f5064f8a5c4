"""The server's own keys: one file each, readable by its owner only.

A rotation has three steps, days apart, and breaks nobody whose client learns keys (OpenSSH: UpdateHostKeys):

```
host_key_X.next made      announced beside host_key_X, which still signs
switched                  .next becomes host_key_X and signs, the one before is announced as .old
retired                   .old goes
```
"""

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

_NEXT: Final = ".next"
_OLD: Final = ".old"


def make(folder: Path) -> list[Path]:
    """Make the keys that are missing below a folder and return their files; a file is never half-written."""
    return _make(folder, "")


def make_next(folder: Path) -> list[Path]:
    """Make the keys that are to follow, where they are missing, and return their files."""
    return _make(folder, _NEXT)


def switch(folder: Path) -> None:
    """Have the next keys sign. One that is killed half-way is finished by the next call.

    Raises `ConfigurationError` if there are no next keys.
    """
    pending = [kind for kind in _KINDS if (folder / f"host_key_{kind}{_NEXT}").exists()]
    if not pending:
        raise ConfigurationError(f"{folder}: there are no next keys; `flatfile-sync hostkeys next` makes them.")
    for kind in pending:
        file = folder / f"host_key_{kind}"
        old = file.with_name(file.name + _OLD)
        old.unlink(missing_ok=True)
        os.link(file, old)
        file.with_name(file.name + _NEXT).replace(file)


def retire(folder: Path) -> list[Path]:
    """Remove the keys that were replaced and return their files."""
    found = [file for kind in _KINDS if (file := folder / f"host_key_{kind}{_OLD}").exists()]
    for file in found:
        file.unlink()
    return found


def announced(folder: Path) -> Sequence[asyncssh.SSHKey]:
    """Return the keys that clients shall know and that do not sign: those that follow, and those that were."""
    return [
        _read(file) for end in (_NEXT, _OLD) for kind in _KINDS if (file := folder / f"host_key_{kind}{end}").exists()
    ]


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a key does."""
    files = sorted(file for file in folder.glob("host_key_*") if file.suffix != ".new")
    return tuple((file.name, file.stat().st_ino, file.stat().st_mtime_ns) for file in files)


def _make(folder: Path, end: str) -> list[Path]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for kind, (algorithm, options) in _KINDS.items():
        file = folder / f"host_key_{kind}{end}"
        if file.exists():
            continue
        key = asyncssh.generate_private_key(algorithm, comment="flatfile-sync", **options)
        part = file.with_name(file.name + ".new")
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
    return [_read(folder / f"host_key_{kind}") for kind in _KINDS]


def _read(file: Path) -> asyncssh.SSHKey:
    try:
        mode = file.stat().st_mode & 0o777
        if mode & 0o077:
            raise ConfigurationError(f"{file}: mode is {mode:04o}, expected 0600; run `chmod 600 {file}`.")
        return asyncssh.read_private_key(file)
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: is missing; `flatfile-sync init` makes it.") from None
    except (asyncssh.KeyImportError, OSError) as error:
        raise ConfigurationError(f"{file}: cannot be read as a private key: {error}") from None


def fingerprints(folder: Path) -> dict[str, str]:
    """Return file name -> `SHA256:...` of each key, as OpenSSH shows it to who connects; also of those announced."""
    names = [f"host_key_{kind}" for kind in _KINDS]
    others = [f"{name}{end}" for end in (_NEXT, _OLD) for name in names if (folder / f"{name}{end}").exists()]
    keys = [*load(folder), *announced(folder)]
    return {name: key.get_fingerprint() for name, key in zip([*names, *others], keys, strict=True)}

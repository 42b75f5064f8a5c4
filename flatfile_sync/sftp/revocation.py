"""User certificates: whose are believed, and which keys and certificates are called back.

Both lists are files that OpenSSH's own tools write or read: authorities as public keys, one a line; revocations in the
words of `ssh-keygen -k` (ssh-keygen(1), KEY REVOCATION LISTS). They are read again when they change.
"""

import base64
import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from flatfile_sync.domain.failures import ConfigurationError

_MOST: Final = 1 << 63


class Revoked(NamedTuple):
    """Fingerprints of keys, of the certified and of authorities; serials (first, last) and ids of certificates."""

    fingerprints: frozenset[str] = frozenset()
    serials: tuple[tuple[int, int], ...] = ()
    ids: frozenset[str] = frozenset()

    def covers(self, *, fingerprints: frozenset[str], serial: int, key_id: str) -> bool:
        """Return whether a certificate, or a key that it rests on, is called back."""
        by_serial = any(first <= serial <= last for first, last in self.serials)
        return by_serial or key_id in self.ids or not self.fingerprints.isdisjoint(fingerprints)


class Trust:
    """The authorities and the revocations, as their files say now; no file = no certificate comes in."""

    def __init__(self, authorities: Path | None, revoked: Path | None) -> None:
        self._authorities, self._revoked = authorities, revoked
        self._read: dict[Path, tuple[tuple[int, int, int], str]] = {}
        self.authorities()
        self.revoked()

    def authorities(self) -> frozenset[str]:
        """Return fingerprints of whose signatures are believed. Raises `ConfigurationError` for a broken file."""
        lines = self._lines(self._authorities)
        return frozenset(_fingerprint(line, self._authorities, number) for number, line in lines)

    def revoked(self) -> Revoked:
        """Return what is called back. Raises `ConfigurationError` for a broken file: then nobody is believed."""
        fingerprints, serials, ids = set(), [], set()
        for number, line in self._lines(self._revoked):
            kind, colon, value = line.partition(":")
            value = value.strip()
            if not colon:
                fingerprints.add(_fingerprint(line, self._revoked, number))
            elif kind == "key":
                fingerprints.add(_fingerprint(value, self._revoked, number))
            elif kind == "hash" and value.startswith("SHA256:"):
                fingerprints.add(value)
            elif kind == "id" and value:
                ids.add(value)
            elif kind == "serial" and (found := _serials(value)) is not None:
                serials.append(found)
            else:
                raise ConfigurationError(
                    f"{self._revoked}: line {number}: found {line[:60]!r}, expected a public key, `key: ...`, "
                    "`hash: SHA256:...`, `id: ...`, `serial: 17` or `serial: 17-20`."
                )
        return Revoked(frozenset(fingerprints), tuple(serials), frozenset(ids))

    def _lines(self, file: Path | None) -> list[tuple[int, str]]:
        if file is None:
            return []
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._read.get(file)
            if known is None or known[0] != stamp:
                known = self._read[file] = (stamp, file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file}: cannot be read: {error}") from None
        lines = ((number, line.strip()) for number, line in enumerate(known[1].splitlines(), 1))
        return [(number, line) for number, line in lines if line and not line.startswith("#")]


def fingerprint(blob: bytes) -> str:
    """Return `SHA256:...` of a public key in SSH's encoding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _fingerprint(line: str, file: Path | None, number: int) -> str:
    kind, _, rest = line.partition(" ")
    name = kind.encode()
    try:
        blob = base64.b64decode(rest.split()[0], validate=True)
    except (ValueError, IndexError):
        blob = b""
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        raise ConfigurationError(
            f"{file}: line {number}: found {line[:60]!r}, expected a public key as OpenSSH writes it."
        )
    return fingerprint(blob)


def _serials(text: str) -> tuple[int, int] | None:
    first, dash, last = text.partition("-")
    if not first.strip().isdigit() or (dash and not last.strip().isdigit()):
        return None
    begin, end = int(first), int(last) if dash else int(first)
    return (begin, end) if begin <= end <= 2 * _MOST else None

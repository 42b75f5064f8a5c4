"""What is left of a person who was erased: enough to recognise a late file that names them, not enough to name them.

Of each identifier stays a 64-bit digest under a random salt of its project. Whoever holds the database can test a
value that they know already; nobody can list the values.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

SALT_BYTES = 16
OWN_ID = "id"
"""Stands for the identifier kind where the pass's own id is meant."""

Key = tuple[str, str]
"""(identifier kind or `OWN_ID`, value)."""


def digest(salt: bytes, key: Key) -> int:
    """Return the digest of an identifier, as a signed integer of 64 bits."""
    text = "\0".join(key).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=salt).digest(), "big", signed=True)


@dataclass(frozen=True, slots=True)
class Tombstones:
    """The erased of a project."""

    salt: bytes
    digests: frozenset[int]

    def first(self, keys: Iterable[Key]) -> Key | None:
        """Return the first of the identifiers that belonged to somebody who was erased, or None."""
        return next((key for key in keys if digest(self.salt, key) in self.digests), None)

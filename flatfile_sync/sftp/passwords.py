"""Passwords, where an operator has switched them on: argon2id, in threads, and the same work for whoever it is."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# RFC 9106, section 4, second recommended option: 64 MiB, three passes.
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
# Of a password that nobody knows; verified where there is no account, so that time tells nothing.
_NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$YWFhYWFhYWFhYWFhYWFhYQ$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE"
# Each takes 64 MiB while it lasts.
_AT_ONCE: Final = 2
LEAST: Final = 12
MOST: Final = 1024


def digest(password: str) -> str:
    """Return what is stored of a password."""
    return _HASHER.hash(password)


class Passwords:
    """Verifies; never more than a few at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def good(self, password: str, stored: str | None) -> bool:
        """Return whether a password is the one that was stored; without one the answer is no, as late."""
        # A client that asks again before the answer ends its task, not the work: it must not exceed its turn.
        matches = await asyncio.shield(asyncio.ensure_future(self._verified(password[:MOST], stored or _NOBODYS)))
        return matches is True and stored is not None and len(password) <= MOST

    async def _verified(self, password: str, stored: str) -> bool:
        async with self._turn:
            return await asyncio.to_thread(_verify, stored, password)


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False

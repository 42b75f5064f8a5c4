"""Tokens of add-to-wallet links: an id of ours and a proof that it is ours.

The proof keeps forged links away from the database, and a copy of the database from being a list of links that work.
Until when a link counts, and whether it was called back, stands in the store beside its id.
"""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

from flatfile_sync.domain.failures import ConfigurationError

KEY_BYTES: Final = 32
MOST_PASSES: Final = 10
"""Passes of one link: as many as Wallet takes in one file (Apple: Distributing and updating a pass)."""

_ID_BYTES, _PROOF_BYTES = 12, 12  # 16 characters each: nobody tries 2^96 links, and the QR code stays small
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32}")


class LinkKey:
    """Makes and reads tokens. Raises `ConfigurationError` for a key that is too short."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ConfigurationError(f"The key of links has {len(key)} bytes, expected at least {KEY_BYTES}.")
        self._key = key

    def __repr__(self) -> str:
        return "LinkKey()"

    def token(self, link_id: str) -> str:
        """Return the token of a link."""
        return link_id + self._proof(link_id)

    def link_id(self, token: str) -> str | None:
        """Return the id of the link whose token this is, None of anything that we did not make."""
        if not _TOKEN.fullmatch(token):
            return None
        link_id, proof = token[: len(token) // 2], token[len(token) // 2 :]
        return link_id if hmac.compare_digest(proof, self._proof(link_id)) else None

    def _proof(self, link_id: str) -> str:
        return _text(hmac.digest(self._key, link_id.encode(), hashlib.sha256)[:_PROOF_BYTES])


def new_link_id() -> str:
    """Return an id that nobody can guess; its token is no option of a command line."""
    while (found := _text(secrets.token_bytes(_ID_BYTES))).startswith("-"):
        pass
    return found


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()

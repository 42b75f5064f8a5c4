"""Authentication tokens of passes: worked out of a secret key and the serial number, stored nowhere.

A token may never change while its pass lives. So the id of the key stands beside each pass, and several keys are held
at a time: a new one signs for new passes only, an old one is dropped when none of its passes is left.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple

from flatfile_sync.domain.failures import ConfigurationError

# As long as the digest: RFC 2104 section 3 advises against less.
LEAST_KEY_BYTES: Final = 32
KEY_ID: Final = "token_key"
"""The entry of a pass's memory that holds the id of its key."""


class Token(NamedTuple):
    """A token (43 characters) and the id of the key to store beside the pass."""

    key_id: str
    text: str

    def __repr__(self) -> str:
        return f"Token({self.key_id!r})"


class TokenKeys:
    """Keys by their ids; the last one is for new passes. Raises `ConfigurationError` for none, or a short one."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ConfigurationError("apple.token_keys: names no key; passes could not prove themselves.")
        for key_id, key in keys.items():
            if len(key) < LEAST_KEY_BYTES:
                raise ConfigurationError(
                    f"apple.token_keys: key {key_id!r} has {len(key)} bytes, expected at least {LEAST_KEY_BYTES}; "
                    "`openssl rand -base64 48` makes a good one."
                )
        self._keys = dict(keys)
        self._newest = list(keys)[-1]

    def __repr__(self) -> str:
        return f"TokenKeys({', '.join(self._keys)})"

    def issue(self, serial: str) -> Token:
        """Return the token of a new pass."""
        return self.token(self._newest, serial)

    def token(self, key_id: str, serial: str) -> Token:
        """Return the token of a pass that was issued with a key. Raises `ConfigurationError` if that key is gone."""
        key = self._keys.get(key_id)
        if key is None:
            raise ConfigurationError(
                f"apple.token_keys: has no key {key_id!r}, which passes were issued with; put it back, since their "
                "tokens cannot change."
            )
        return Token(key_id, _encoded(key, serial))

    def fits(self, text: str, *, key_id: str, serial: str) -> bool:
        """Return whether a device's token is that of the pass; how long it takes says nothing about the token."""
        known = self._keys.get(key_id)
        # For an unknown key the same work is done with another one, and its answer is thrown away.
        expected = _encoded(known or self._keys[self._newest], serial)
        return hmac.compare_digest(expected.encode(), text.encode(errors="replace")) and known is not None


def _encoded(key: bytes, serial: str) -> str:
    digest = hmac.digest(key, serial.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")

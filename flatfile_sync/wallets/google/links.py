"""Add-to-Wallet links: `https://pay.google.com/gp/v/save/<JWT>`.

Source: Google Wallet, Working with JWTs. Browsers and messengers cut longer links, so a JWT stays under 1,800
characters: a whole object if it fits, else only its id, which needs the object to be there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt

from flatfile_sync.domain.clock import Clock
from flatfile_sync.wallets.google.account import ServiceAccount
from flatfile_sync.wallets.google.resources import Thing

ADDRESS: Final = "https://pay.google.com/gp/v/save/"
LONGEST: Final = 1800
"""A JWT is shorter than this many characters."""


class Links:
    """Signs save links; `origins` are the sites that show the button with Google's script."""

    def __init__(
        self, account: ServiceAccount, *, clock: Clock, origins: Sequence[str] = (), address: str = ADDRESS
    ) -> None:
        self._account, self._clock, self._origins, self._address = account, clock, list(origins), address

    def whole(self, thing: Thing) -> str | None:
        """Return a link that carries the whole object, None if it would be too long. Its class must be there."""
        token = self._signed(thing, thing.resource)
        return f"{self._address}{token}" if len(token) < LONGEST else None

    def skinny(self, thing: Thing) -> str:
        """Return a link to an object that is there."""
        named = {key: thing.resource[key] for key in ("id", "classId")}
        return f"{self._address}{self._signed(thing, named)}"

    def _signed(self, thing: Thing, resource: Mapping[str, Any]) -> str:
        claims = {
            "iss": self._account.email,
            "aud": "google",
            "typ": "savetowallet",
            "iat": int(self._clock().timestamp()),
            "origins": self._origins,
            "payload": {f"{thing.kind}s": [resource]},
        }
        return jwt.encode(claims, self._account.key, algorithm="RS256", headers={"kid": self._account.key_id})

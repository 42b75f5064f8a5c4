"""Access tokens: minted with a signed assertion, shared by every call, renewed before they end.

Source: Google Identity, Using OAuth 2.0 for Server to Server Applications; RFC 7523.
"""

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import httpx
import jwt

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import PermanentFailure, TemporaryFailure
from flatfile_sync.wallets.google.account import ServiceAccount

SCOPE: Final = "https://www.googleapis.com/auth/wallet_object.issuer"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTED: Final = timedelta(hours=1)  # the longest that Google takes
_KEPT: Final = timedelta(minutes=50)
_SPARE: Final = timedelta(minutes=10)


class Tokens:
    """The access token of an account; however many ask at once, one request is made."""

    def __init__(self, account: ServiceAccount, *, http: httpx.AsyncClient, clock: Clock) -> None:
        self._account, self._http, self._clock = account, http, clock
        self._flight = asyncio.Lock()
        self._token, self._until = "", datetime.min.replace(tzinfo=clock().tzinfo)

    async def token(self) -> str:
        """Return a token that is good for a while.

        Raises `TemporaryFailure`, or `PermanentFailure` with the endpoint's word (`invalid_grant`) as its text.
        """
        async with self._flight:
            if not self._token or self._clock() >= self._until:
                await self._mint()
            return self._token

    def refused(self, token: str) -> None:
        """Forget a token that was answered with 401; one that was minted since stays."""
        if token == self._token:
            self._token = ""

    def assertion(self) -> str:
        """Return the signed claim that is exchanged for a token."""
        now = int(self._clock().timestamp())
        claims = {
            "iss": self._account.email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": now,
            "exp": now + int(_ASSERTED.total_seconds()),
        }
        return jwt.encode(claims, self._account.key, algorithm="RS256", headers={"kid": self._account.key_id})

    async def _mint(self) -> None:
        form = {"grant_type": GRANT, "assertion": self.assertion()}
        try:
            answer = await self._http.post(self._account.token_uri, data=form)
        except httpx.HTTPError as error:
            raise TemporaryFailure(f"no access token: {type(error).__name__}") from error
        try:
            told = answer.json()
        except ValueError:
            told = {}
        if not isinstance(told, dict):
            told = {}
        if answer.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise PermanentFailure(str(told.get("error") or "invalid_grant"))
        token, lasts = told.get("access_token"), told.get("expires_in")
        if answer.status_code != HTTPStatus.OK or not token or not isinstance(lasts, int):
            raise TemporaryFailure(f"no access token: status {answer.status_code}")
        self._token = str(token)
        self._until = self._clock() + min(_KEPT, max(timedelta(seconds=lasts) - _SPARE, timedelta(0)))

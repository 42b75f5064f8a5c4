"""Google's callbacks as they come in: checked with root keys that are fetched when needed and kept for a while."""

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import httpx
import structlog

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import TemporaryFailure
from flatfile_sync.wallets.google.callbacks import SENDER, Callback, Rejection, RootKey, root_keys, verify

KEYS_URL: Final = "https://pay.google.com/gp/m/issuer/keys"
# Google: cache the keys; a key that is to be replaced is announced long before.
_KEPT: Final = timedelta(hours=6)
# Whoever sends us nonsense does not make us ask Google each time.
_AT_MOST_EVERY: Final = timedelta(minutes=1)

_log = structlog.get_logger()


class Receiver:
    """Verifies callbacks for one issuer."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        recipient: str,
        clock: Clock,
        keys_url: str = KEYS_URL,
        sender: str = SENDER,
    ) -> None:
        self._http, self._recipient, self._clock = http, recipient, clock
        self._keys_url, self._sender = keys_url, sender
        self._keys: tuple[RootKey, ...] = ()
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._flight = asyncio.Lock()

    async def receive(self, body: bytes) -> Callback | Rejection:
        """Return what a callback says, or why it counts for nothing.

        Raises `TemporaryFailure` if Google's keys cannot be had: then Google should try again.
        """
        keys = await self._current()
        found = self._verify(body, keys)
        if found is Rejection.ROOT and await self._refresh(keys):
            # Their keys may have changed since we looked.
            found = self._verify(body, self._keys)
        return found

    def _verify(self, body: bytes, keys: tuple[RootKey, ...]) -> Callback | Rejection:
        return verify(body, keys=keys, recipient=self._recipient, sender=self._sender, now=self._clock())

    async def _current(self) -> tuple[RootKey, ...]:
        if self._fetched_at is None or self._clock() - self._fetched_at > _KEPT:
            await self._refresh(self._keys)
        # Old keys are better than none: each says itself until when it counts.
        if not self._keys:
            raise TemporaryFailure("Google's keys for callbacks cannot be had", retry_after=_AT_MOST_EVERY)
        return self._keys

    async def _refresh(self, known: tuple[RootKey, ...]) -> bool:
        """Fetch the keys, unless somebody has since `known`, or that was a moment ago; return whether they are new."""
        async with self._flight:
            now = self._clock()
            if self._keys != known:
                return True
            if self._asked_at is not None and now - self._asked_at < _AT_MOST_EVERY:
                return False
            self._asked_at = now
            try:
                answer = await self._http.get(self._keys_url)
            except httpx.HTTPError as error:
                _log.warning("google_keys_not_fetched", error=type(error).__name__)
                return False
            found = root_keys(answer.content) if answer.status_code == HTTPStatus.OK else ()
            if not found:
                _log.warning("google_keys_not_fetched", status=answer.status_code)
                return False
            self._keys, self._fetched_at = found, now
            return found != known

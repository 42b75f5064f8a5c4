"""What stands before every route: who asks, how often, how much, and what every answer says about itself."""

import math
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException

from flatfile_sync.web.addresses import Network, household, origin
from flatfile_sync.web.answers import answer, told
from flatfile_sync.web.rates import Rates

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Counted = Callable[[str, str, int], None]
"""(route, method, status) of an answer."""

MOST_HEAD: Final = 16 << 10
"""Bytes of a request's head: the longest is a link, with what browsers say about themselves."""
MOST_BODY: Final = 64 << 10
"""Bytes of a request's body: the longest that is asked for is a device's log."""

# OWASP: HTTP Security Response Headers. A route that shows a page says its own Content-Security-Policy.
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)
_TLS_ONLY: Final = (b"strict-transport-security", b"max-age=31536000")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})
_ALL: Final = "all"
# A flood must not look like a daemon that is dead.
_ALWAYS: Final = frozenset({"/livez", "/readyz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """An ASGI application around another. `state.address` of a request is who asks."""

    app: App
    trusted: tuple[Network, ...]
    by_address: Rates
    total: Rates
    counted: Counted
    most_body: int = MOST_BODY

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        address, secure = origin(scope, self.trusted)
        scope.setdefault("state", {})["address"] = address
        sending = _Sending(send, secure=secure)
        # An address that asks too often does not use up what there is for all.
        wait = self.by_address.wait(household(address))
        if not wait and scope["path"] not in _ALWAYS:
            wait = self.total.wait(_ALL)
        if wait:
            await told(429, {"Retry-After": str(math.ceil(wait))})(scope, receive, sending)
        elif status := _misshapen(scope, self.most_body):
            await told(status, {"Connection": "close"})(scope, receive, sending)
        else:
            await self._pass_on(scope, _Receiving(receive, self.most_body), sending)
        route = getattr(scope.get("route"), "path", "none")
        self.counted(route, scope["method"] if scope["method"] in _METHODS else "other", sending.status)

    async def _pass_on(self, scope: Message, receive: Receive, send: "_Sending") -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the door stays open, and nothing of it is shown
            found = answer(error)
            if not send.status:
                await found(scope, receive, send)


class _Receiving:
    """Counts a body as it comes: its length is not always told, or not truly."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, headers={"Connection": "close"})
        return message


class _Sending:
    """Adds to each answer what it does not say itself."""

    def __init__(self, send: Send, *, secure: bool) -> None:
        self._send, self._secure = send, secure
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            said = {name.lower() for name, _ in headers}
            wanted = (*_HEADERS, _TLS_ONLY) if self._secure else _HEADERS
            headers += [(name, value) for name, value in wanted if name not in said]
            message = {**message, "headers": headers}
        await self._send(message)


def _misshapen(scope: Message, most_body: int) -> int:
    """Return the status of a request that is refused by its head alone, 0 for one that goes on."""
    headers = scope["headers"]
    named = dict(headers)
    if sum(len(name) + len(value) for name, value in headers) > MOST_HEAD:
        return 431
    # RFC 9112, 6.1: two who take turns to read such a request may not agree where it ends.
    if b"transfer-encoding" in named and b"content-length" in named:
        return 400
    length = named.get(b"content-length", b"0")
    return 413 if not length.isdigit() or int(length) > most_body else 0

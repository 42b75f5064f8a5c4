"""Connections that end: each has its place, a time for the head of a request, and a time for the whole of it.

uvicorn bounds neither how long a client may take to send a request, nor how long to read the answer, nor how many
clients there are before their TLS handshake. Whoever is slower or more than that is cut off here.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from flatfile_sync.web.addresses import Network, household, peer, within

PER_ADDRESS: Final = 64
"""Connections of one address that is no proxy of ours; many devices share one behind a carrier's network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: for a handshake, for the head of a request, for a request from its head to the answer's last byte."""

    handshake: float = 10.0
    head: float = 10.0
    request: float = 60.0


@dataclass(slots=True, kw_only=True)
class Places:
    """Who is connected: at most `most`, at most `per_address` of one address."""

    most: int
    trusted: tuple[Network, ...]
    per_address: int = PER_ADDRESS
    _open: Counter[int] = field(default_factory=Counter)

    def take(self, transport: asyncio.BaseTransport) -> Callable[[], None] | None:
        """Return what gives the place back (it may be called twice), None if there is no place."""
        address = peer({"client": transport.get_extra_info("peername")})
        key = household(address)
        known = self._open[key]
        if self._open.total() >= self.most or (known >= self.per_address and not within(address, self.trusted)):
            if not known:
                del self._open[key]
            return None
        self._open[key] += 1
        left = iter((key,))

        def leave() -> None:
            for mine in left:
                self._open[mine] -= 1
                if not self._open[mine]:
                    del self._open[mine]

        return leave

    def __len__(self) -> int:
        return self._open.total()


class Connection(H11Protocol):
    """One connection, HTTP/1.1. `leave` gives its place back."""

    def __init__(self, config: Config, state: ServerState, *, places: Places, patience: Patience) -> None:
        super().__init__(config, state, {})
        self._places, self._patience = places, patience
        self._early = b""
        self._timer: asyncio.TimerHandle | None = None
        self.leave: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is a place."""
        self.leave = self.leave or self._places.take(transport)
        super().connection_made(transport)
        if self.leave is None:
            transport.abort()
            return
        self._wait(self._patience.head)
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those that came in one piece with the end of the handshake wait for `connection_made`."""
        if self.transport is None:
            self._early += data
            return
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._wait(self._patience.request)

    def on_response_complete(self) -> None:
        """Give the client a while to read the answer and to ask again."""
        before = self.cycle
        super().on_response_complete()
        # A request that had arrived already is begun by the line above.
        self._wait(self._patience.head if self.cycle is before else self._patience.request)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
        if self.transport is not None:
            super().connection_lost(exc)
        if self.leave is not None:
            self.leave()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Not `close`, which waits until the other end has read everything.
        self._timer = self.loop.call_later(seconds, self.transport.abort)


class Handshake(asyncio.Protocol):
    """A connection that has its place and is not yet private."""

    def __init__(
        self,
        connection: Callable[[], Connection],
        *,
        context: ssl.SSLContext,
        places: Places,
        patience: Patience,
        running: set[asyncio.Task[None]],
    ) -> None:
        self._connection, self._context = connection, context
        self._places, self._patience, self._running = places, patience, running

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, if there is a place."""
        leave = self._places.take(transport)
        if leave is None:
            assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type
            transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._shake(transport, leave))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _shake(self, transport: Any, leave: Callable[[], None]) -> None:
        connection = self._connection()
        connection.leave = leave
        try:
            private = await asyncio.get_running_loop().start_tls(
                transport,
                connection,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._patience.handshake,
                ssl_shutdown_timeout=self._patience.handshake,
            )
        except (OSError, TimeoutError):
            leave()  # it is no client of ours, or one that went away
        except BaseException:
            leave()
            raise
        else:
            if private is None or private.is_closing():
                leave()
                return
            connection.connection_made(private)

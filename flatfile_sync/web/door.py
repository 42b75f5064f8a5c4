"""The HTTP server: a part of the daemon that listens until it is told to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.web.connections import Connection, Handshake, Patience, Places
from flatfile_sync.web.guard import MOST_HEAD, App
from flatfile_sync.web.tls import Tls

_KEEP_ALIVE: Final = 5
_END_SECONDS: Final = 5

_log = structlog.get_logger()


class Door:
    """Serves an application; with `tls` it speaks TLS itself, else a proxy in front does."""

    def __init__(
        self,
        app: App,
        *,
        host: str,
        port: int,
        places: Places,
        tls: Tls | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self.port = port
        self.host = host
        self.tls = tls
        self._app, self._places, self._patience = app, places, patience or Patience()
        self._stop = asyncio.Event()

    @property
    def address(self) -> str:
        """The URL at which it listens."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set or `stop()` called; then let nobody in, end what is open and return.

        Raises `ConfigurationError` if the address cannot be listened on.
        """
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what clients do wrong is no line of ours; our own errors end in `web.answers`
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_END_SECONDS,
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        listener = self._listen()
        self.port = listener.getsockname()[1]
        server = _Server(config, listener, self)
        serving = asyncio.create_task(server.serve())
        watching = [
            asyncio.create_task(part) for part in (self._forward(stop), *([self.tls.watch()] if self.tls else []))
        ]
        halt = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({halt, serving}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
        finally:
            for task in (halt, serving, *watching):
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            listener.close()
            server.cut_off()
            _log.info("web_door_closed")

    def stop(self) -> None:
        """Let nobody in any more and end what is open; may be called twice, in the loop's thread."""
        self._stop.set()

    def opened(self) -> None:
        """Say that clients can come in."""
        _log.info("web_door_open", address=self.address)
        self.ready.set()

    def connection(self, config: uvicorn.Config, server: uvicorn.Server) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(config, server.server_state, places=self._places, patience=self._patience)

    def handshake(self, config: uvicorn.Config, server: uvicorn.Server, tls: Tls) -> Handshake:
        """Return the protocol of a new connection that is to become private."""
        return Handshake(
            lambda: self.connection(config, server),
            context=tls.context,
            places=self._places,
            patience=self._patience,
            running=server.server_state.tasks,
        )

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
        except OSError as error:
            listener.close()
            raise ConfigurationError(
                f"web.port: {self.host}:{self.port} cannot be listened on: {error.strerror}; choose another "
                "web.host or web.port, or say web.enabled = false."
            ) from None
        return listener

    async def _forward(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stop()


class _Server(uvicorn.Server):
    """uvicorn, but for how connections are made and for signals, which are the daemon's."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, door: Door) -> None:
        super().__init__(config)
        self._listener, self._door = listener, door

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - ours is at hand
        """Listen."""
        config, door, tls = self.config, self._door, self._door.tls
        server = await asyncio.get_running_loop().create_server(
            (lambda: door.connection(config, self)) if tls is None else (lambda: door.handshake(config, self, tls)),
            sock=self._listener,
            backlog=256,
        )
        self.servers = [server]
        self.started = True
        door.opened()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def cut_off(self) -> None:
        """End what is still open after the time for its end."""
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

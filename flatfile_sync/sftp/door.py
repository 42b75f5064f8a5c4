"""The SFTP server: a part of the daemon that listens until it is told to stop."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncssh
import structlog

from flatfile_sync.domain.addresses import Address
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.sftp import algorithms, host_keys
from flatfile_sync.sftp.connection import Connection, House, Login
from flatfile_sync.sftp.entrance import Entrance, listen
from flatfile_sync.sftp.places import Place, Places
from flatfile_sync.sftp.rules import Rules

# Below this a path that begins with // left the root; the next minor version may move what our tests pin down.
_ASYNCSSH_FLOOR: Final = (2, 24, 1)
_KEEPALIVE_SECONDS: Final = 30.0
_KEEPALIVES: Final = 4
_WINDOW: Final = 2 * 1024 * 1024
_PACKET: Final = 32768  # 262144 breaks OpenSSH
_END_SECONDS: Final = 10.0
_LOOK_AGAIN_SECONDS: Final = 5.0

_log = structlog.get_logger()


class Door:
    """Listens, lets accounts in by what they can prove, and gives each channel a session."""

    def __init__(
        self, *, kit: Kit, host: str, port: int, host_keys: Sequence[asyncssh.SSHKey] | Path, rules: Rules | None = None
    ) -> None:
        self.ready = asyncio.Event()
        self.port = port
        self.kit = kit
        self.rules = rules or Rules()
        self._host = host
        self._source = host_keys
        self._stamp: object = None
        self._entrance = Entrance(self.rules, kit=kit, admit=self._admit)
        self._house = House(
            kit=kit,
            rules=self.rules,
            places=self._entrance.places,
            strike=self._entrance.strike,
            guessed=self._entrance.guessed,
            locked=self._entrance.locked,
        )
        self._options: asyncssh.SSHServerConnectionOptions | None = None
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set or `stop()` called; then let nobody in, end every session and return.

        Raises `ConfigurationError` if the address cannot be listened on.
        """
        check_version(asyncssh.__version__)
        await self.look_at_keys()
        listener = listen(self._host, self.port)
        self.port = listener.getsockname()[1]
        entering = asyncio.create_task(self._entrance.run(listener))
        self.ready.set()
        _log.info("door_open", host=self._host, port=self.port)
        forward = asyncio.create_task(self._forward(stop))
        watching = asyncio.create_task(self._watch_keys())
        halt = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({entering, halt}, return_when=asyncio.FIRST_COMPLETED)
            if entering.done():
                entering.result()
        finally:
            for task in (forward, halt, entering, watching):
                task.cancel()
            await asyncio.gather(forward, halt, entering, watching, return_exceptions=True)
            listener.close()
            await self._end_sessions()
            _log.info("door_closed")

    @property
    def places(self) -> Places:
        """Who is connected."""
        return self._entrance.places

    @property
    def busy(self) -> bool:
        """Whether something is still being written down about a connection that ended."""
        return bool(self._house.tasks)

    async def look_again(self) -> None:
        """Learn at once which bans run; otherwise that happens every few seconds."""
        await self._entrance.look_again()

    async def look_at_keys(self) -> None:
        """Take up host keys that changed; connections that are open go on as they are."""
        if not isinstance(self._source, Path):
            self._options = self._options or await self._prepare(self._source)
            return
        now = await asyncio.to_thread(host_keys.stamp, self._source)
        if now != self._stamp or self._options is None:
            signing = await asyncio.to_thread(host_keys.load, self._source)
            others = await asyncio.to_thread(host_keys.announced, self._source)
            self._options = await self._prepare([*signing, *others])
            self._stamp = now

    async def _watch_keys(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            try:
                await self.look_at_keys()
            except Exception:  # noqa: BLE001 - the keys that were read still hold
                _log.exception("host_keys_not_read")

    def stop(self) -> None:
        """Let nobody in any more and end what is open; may be called twice, in the loop's thread."""
        self._stop.set()

    async def _forward(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stop()

    async def _end_sessions(self) -> None:
        for connection in list(self._house.connections):
            connection.disconnect(asyncssh.DISC_BY_APPLICATION, "the server is stopping")
        if self._house.channels:
            await asyncio.wait(list(self._house.channels), timeout=_END_SECONDS)

    async def _admit(self, sock: socket.socket, address: Address, place: Place) -> None:
        connection = Connection(self._options, address=address, place=place, house=self._house)
        place.end = connection.abort
        await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, sock)

    async def _prepare(self, keys: Sequence[asyncssh.SSHKey]) -> asyncssh.SSHServerConnectionOptions:
        found: asyncssh.SSHServerConnectionOptions = await asyncssh.SSHServerConnectionOptions.construct(
            server_factory=Login,
            server_host_keys=keys,
            send_server_host_keys=True,
            **algorithms.options(self.rules.algorithms),
            public_key_auth=True,
            password_auth=self.rules.passwords,
            kbdint_auth=self.rules.passwords,
            host_based_auth=False,
            gss_auth=False,
            gss_kex=False,
            encoding=None,
            window=_WINDOW,
            max_pktsize=_PACKET,
            line_editor=False,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=self.rules.login_seconds,
            keepalive_interval=_KEEPALIVE_SECONDS,
            keepalive_count_max=_KEEPALIVES,
        )
        # Left alone, asyncssh also signs with an RSA key by SHA-1 (ssh-rsa) and by names of one vendor.
        for name in [name for name in found.server_host_keys if name.decode() not in algorithms.SIGNATURES]:
            del found.server_host_keys[name]
        # The proof that a client asks for when it learns a key would else be by SHA-1 too; OpenSSH refuses that.
        for pair in found.all_server_host_keys.values():
            if pair.algorithm == b"ssh-rsa":
                pair.set_sig_algorithm(b"rsa-sha2-512")
        return found


def check_version(version: str) -> None:
    """Raise `ConfigurationError` unless this asyncssh is one whose boundaries our tests have looked at."""
    found = tuple(int(part) for part in version.split(".")[:3])
    if not _ASYNCSSH_FLOOR <= found < (2, 25):
        raise ConfigurationError(f"asyncssh {version} is installed; 2.24.1 or a later 2.24 is needed.")

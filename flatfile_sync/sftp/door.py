"""The SFTP server: who may come in, and what a connection may ask for."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncssh
import structlog

from flatfile_sync.domain.failures import ConfigurationError, Refused
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.sftp.channel import Channel
from flatfile_sync.sftp.session import Session
from flatfile_sync.store import accounts, audit
from flatfile_sync.store.accounts import Account
from flatfile_sync.store.database import Connection, Priority

# Below this a path that begins with // left the root; the next minor version may move what our tests pin down.
_ASYNCSSH_FLOOR: Final = (2, 24, 1)
_AUTH_SECONDS: Final = 10.0
_LOGIN_SECONDS: Final = 30.0
_KEEPALIVE_SECONDS: Final = 30.0
_KEEPALIVES: Final = 4
_WINDOW: Final = 2 * 1024 * 1024
_PACKET: Final = 32768  # 262144 breaks OpenSSH
_END_SECONDS: Final = 10.0

_KEX: Final = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
)
_CIPHERS: Final = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes128-ctr")
_MACS: Final = (
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512",
    "hmac-sha2-256",
)
# No ssh-rsa and no ssh-dss: both sign with SHA-1.
_SIGNATURES: Final = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)

_log = structlog.get_logger()


class Door:
    """Listens, lets accounts in by their keys, and gives each channel a session."""

    def __init__(self, *, kit: Kit, host: str, port: int, host_keys: Sequence[asyncssh.SSHKey]) -> None:
        self.ready = asyncio.Event()
        self.port = port
        self.kit = kit
        self._host = host
        self._keys = list(host_keys)
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.channels: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set or `stop()` called; then let nobody in, end every session and return."""
        check_version(asyncssh.__version__)
        listener = await asyncssh.create_server(
            lambda: _Gate(self),
            self._host,
            self.port,
            server_host_keys=self._keys,
            kex_algs=list(_KEX),
            encryption_algs=list(_CIPHERS),
            mac_algs=list(_MACS),
            compression_algs=["none"],
            signature_algs=list(_SIGNATURES),
            public_key_auth=True,
            password_auth=False,
            kbdint_auth=False,
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
            login_timeout=_LOGIN_SECONDS,
            keepalive_interval=_KEEPALIVE_SECONDS,
            keepalive_count_max=_KEEPALIVES,
            reuse_address=True,
        )
        self.port = listener.get_port()
        self.ready.set()
        _log.info("door_open", host=self._host, port=self.port)
        forward = asyncio.create_task(self._forward(stop))
        try:
            await self._stop.wait()
        finally:
            forward.cancel()
            listener.close()
            await listener.wait_closed()
            await self._end_sessions()
            _log.info("door_closed")

    def stop(self) -> None:
        """Let nobody in any more and end what is open; may be called twice, in the loop's thread."""
        self._stop.set()

    async def _forward(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.stop()

    async def _end_sessions(self) -> None:
        for connection in list(self.connections):
            connection.disconnect(asyncssh.DISC_BY_APPLICATION, "the server is stopping")
        if self.channels:
            await asyncio.wait(list(self.channels), timeout=_END_SECONDS)


class _Gate(asyncssh.SSHServer):
    """One connection: every answer about letting somebody in is a literal, and any error is a refusal."""

    def __init__(self, door: "Door") -> None:
        self._door = door
        self._connection: asyncssh.SSHServerConnection | None = None
        self._key = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remember the connection, so that it can be ended."""
        self._connection = conn
        self._door.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its channels hear the same
        """Forget the connection."""
        if self._connection is not None:
            self._door.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - nobody comes in without a key
        """Say that authentication is required: anything but True would let the client in."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Say that keys are the way in; there is no other."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether the key belongs to the account; asyncssh then has the client prove that it holds it."""
        self._key = key.get_fingerprint()
        try:
            async with asyncio.timeout(_AUTH_SECONDS):
                known = await self._door.kit.store.read(lambda conn: _may_enter(conn, username, self._key))
        except Exception:  # noqa: BLE001 - whatever went wrong, nobody comes in by it
            _log.exception("auth_failed")
            return False
        return known is True

    async def auth_completed(self) -> None:
        """Write the login into the audit and remember when the key was used."""
        name, fingerprint, now = self._name(), self._key, self._door.kit.clock()
        details = {
            "key": fingerprint,
            "address": str(self._extra("peername")[0]),
            "client": str(self._extra("client_version")),
        }

        def note(conn: Connection) -> None:
            accounts.used(conn, name, fingerprint, now=now)
            audit.record(conn, at=now, actor=name, event="login", details=details)

        await self._door.kit.store.write(note, priority=Priority.DOOR)

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        """Give the connection one more channel."""
        return Channel(self._begin, self._door.channels)

    async def _begin(self) -> Session:
        name = self._name()
        # Looked up again: what asyncssh accepted is a name and a key, and the account may be gone by now.
        account = await self._door.kit.store.read(lambda conn: _enabled(conn, name))
        if account is None:
            raise Refused(f"account {name!r} is not open")
        return Session(account, kit=self._door.kit)

    def _name(self) -> str:
        return str(self._extra("username"))

    def _extra(self, name: str) -> Any:
        return None if self._connection is None else self._connection.get_extra_info(name)


def check_version(version: str) -> None:
    """Raise `ConfigurationError` unless this asyncssh is one whose boundaries our tests have looked at."""
    found = tuple(int(part) for part in version.split(".")[:3])
    if not _ASYNCSSH_FLOOR <= found < (2, 25):
        raise ConfigurationError(f"asyncssh {version} is installed; 2.24.1 or a later 2.24 is needed.")


def _enabled(conn: Connection, name: str) -> Account | None:
    account = accounts.by_name(conn, name)
    return account if account is not None and account.disabled_at is None else None


def _may_enter(conn: Connection, name: str, fingerprint: str) -> bool:
    return _enabled(conn, name) is not None and any(key.fingerprint == fingerprint for key in accounts.keys(conn, name))

"""One SSH connection: every answer about letting somebody in is a literal, and any error is a refusal."""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

import asyncssh
import structlog

from flatfile_sync.domain.addresses import Address
from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline import entering
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.sftp.channel import Channel
from flatfile_sync.sftp.places import Place, Places
from flatfile_sync.sftp.rules import Rules
from flatfile_sync.sftp.session import Session
from flatfile_sync.store.database import Priority

_AUTH_SECONDS: Final = 10.0

_log = structlog.get_logger()


class Entered(NamedTuple):
    """How somebody came in: the name that was proved, by which method, and the fingerprint of a key."""

    account: str
    method: str
    key: str | None


@dataclass(slots=True, kw_only=True)
class House:
    """What all connections of a door share."""

    kit: Kit
    rules: Rules
    places: Places
    strike: Callable[[Address], Awaitable[None]]
    connections: "set[Connection]" = field(default_factory=set)
    channels: set[asyncio.Task[None]] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def inside(self, account: str) -> int:
        """Return how many connections an account has."""
        return sum(one.entered is not None and one.entered.account == account for one in self.connections)

    def spawn(self, work: Awaitable[None]) -> None:
        """Run something beside the connection it came from."""

        async def run() -> None:
            try:
                await work
            except Exception:  # noqa: BLE001 - nobody waits for it
                _log.exception("door_task_failed")

        task = asyncio.get_running_loop().create_task(run())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class Connection(asyncssh.SSHServerConnection):
    """asyncssh's connection, which knows who is at the other end, a proxy or not, and how often they failed."""

    def __init__(self, options: Any, *, address: Address, place: Place, house: House) -> None:
        super().__init__(asyncio.get_running_loop(), options)
        self.address, self.place, self.house = address, place, house
        self.proved: Entered | None = None  # of the last request that was good; it may have been overtaken since
        self.entered: Entered | None = None
        self.failures = 0
        self._tried = False
        self._since = asyncio.get_running_loop().time()

    @property
    def suspect(self) -> bool:
        """Whether somebody tried in vain, or let the time for it pass."""
        waited = asyncio.get_running_loop().time() - self._since >= self.house.rules.login_seconds
        return self.entered is None and (self._tried or waited)

    def come_from(self) -> None:
        """Have asyncssh check a certificate's `source-address` against the client, not against a proxy."""
        self._peer_addr = str(self.address)

    async def validate_public_key(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """Return whether a key opens the account and, where there is a signature, whether the client holds it."""
        self._tried = True
        try:
            async with asyncio.timeout(_AUTH_SECONDS):
                good = await super().validate_public_key(username, key_data, msg, signature)
        except Exception:  # noqa: BLE001 - whatever went wrong, nobody comes in by it
            _log.exception("auth_failed")
            good = False
        if good is not True:
            self.failed("key")
            return False
        if msg:
            self.proved = Entered(username, "key", _fingerprint(key_data))
        return True

    def failed(self, method: str) -> None:
        """Count a failure; after too many the connection ends."""
        self.failures += 1
        self.house.kit.tally.add(Figure.LOGINS, method, "refused")
        if self.failures >= self.house.rules.tries:
            self.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many failures")


class Login(asyncssh.SSHServer):
    """What asyncssh asks about one connection."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Take the connection, which is ours."""
        self._connection = cast("Connection", conn)
        self._connection.come_from()
        self._connection.house.connections.add(self._connection)
        if not self._connection.house.places.holds(self._connection.place):
            self._connection.abort()  # somebody was given the place while the connection began

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its channels hear the same
        """Give the place back; whoever tried and never came in is held to account."""
        conn = self._here
        conn.house.connections.discard(conn)
        conn.house.places.leave(conn.place)
        if conn.suspect:
            conn.house.spawn(conn.house.strike(conn.address))

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - nobody comes in without proof
        """Say that authentication is required: anything but True would let the client in."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Say that keys are a way in."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether the key belongs to the account; asyncssh then has the client prove that it holds it."""
        conn = self._here
        fingerprint, now = key.get_fingerprint(), conn.house.kit.clock()
        known = await conn.house.kit.store.read(
            lambda db: entering.may_enter_by_key(db, username, fingerprint, address=conn.address, now=now)
        )
        return known is True

    async def auth_completed(self) -> None:
        """Write the login down. Whoever has too many connections already, or is not who was proved, is sent away."""
        conn = self._here
        kit, who = conn.house.kit, conn.proved
        if who is None or who.account != conn.get_extra_info("username"):
            # A request overtook the answer to another one: what was proved is another name.
            conn.abort()
            return
        conn.entered = who
        if conn.house.inside(who.account) > conn.house.rules.connections_per_account:
            conn.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, "this account has too many connections")
            return
        conn.house.places.logged_in(conn.place)
        kit.tally.add(Figure.LOGINS, who.method, "ok")
        now = kit.clock()
        details = {"address": str(conn.address), "client": str(conn.get_extra_info("client_version"))}
        await kit.store.write(
            lambda db: entering.entered(db, who.account, method=who.method, key=who.key, details=details, now=now),
            priority=Priority.DOOR,
        )

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        """Give the connection one more channel."""
        return Channel(self._begin, self._here.house.channels)

    async def _begin(self) -> Session:
        conn = self._here
        who = conn.entered
        if who is None:
            raise Refused("nobody has come in")
        # Looked up again: what was accepted is a name and a proof, and the account may be gone by now.
        account = await conn.house.kit.store.read(
            lambda db: entering.open_account(db, who.account, address=conn.address)
        )
        if account is None:
            raise Refused(f"account {who.account!r} is not open")
        return Session(account, kit=conn.house.kit)

    @property
    def _here(self) -> Connection:
        if self._connection is None:
            raise Refused("there is no connection")
        return self._connection


def _fingerprint(key_data: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(key_data).digest()).decode().rstrip("=")

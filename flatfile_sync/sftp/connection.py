"""One SSH connection: every answer about letting somebody in is a literal, and any error is a refusal."""

import asyncio
import base64
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
from flatfile_sync.sftp.passwords import Passwords
from flatfile_sync.sftp.places import Place, Places
from flatfile_sync.sftp.revocation import fingerprint
from flatfile_sync.sftp.rules import Rules
from flatfile_sync.sftp.session import Session
from flatfile_sync.store.database import Priority

_AUTH_SECONDS: Final = 10.0
_CERTIFICATE: Final = b"-cert-v01@openssh.com"

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
    guessed: Callable[[str], Awaitable[None]]
    locked: Callable[[str], bool]
    passwords: Passwords = field(default_factory=Passwords)
    connections: "set[Connection]" = field(default_factory=set)
    channels: set[asyncio.Task[None]] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def inside(self, account: str) -> int:
        """Return how many connections an account has."""
        return sum(one.entered is not None and one.entered.account == account for one in self.connections)

    async def password_opens(self, name: str, password: str, address: Address) -> bool:
        """Return whether a password opens an account. Guesses lock its passwords, never its keys."""
        account = await self.kit.store.read(lambda db: entering.open_account(db, name, address=address))
        good = await self.passwords.good(password, None if account is None else account.password)
        if good is not True:
            self.spawn(self.guessed(name))
            return False
        return self.locked(name) is False

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
        self._tries = 0
        self._tried = False
        self._announced = False
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
        method, good = "key", False
        if not self.try_once():
            return False
        try:
            certificate = _certificate(key_data)
            method = "key" if certificate is None else "certificate"
            async with asyncio.timeout(_AUTH_SECONDS):
                standing = await asyncio.to_thread(self._stands, username, key_data, certificate)
                known = await super().validate_public_key(username, key_data, msg, signature)
            good = known is True and standing is True
            if good and msg:
                print_of = key_data if certificate is None else certificate.key.public_data
                self.proved = Entered(username, method, fingerprint(print_of))
        except Exception:  # noqa: BLE001 - whatever went wrong, nobody comes in by it
            _log.exception("auth_failed")
            good = False
        if good is not True:
            self._refused(method)
            return False
        self._tries -= 1
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Return whether the password is the account's; no is said late, and as late for an account there is not."""
        good = False
        if not self.try_once():
            return False
        try:
            async with asyncio.timeout(_AUTH_SECONDS):
                good = await self.house.password_opens(username, password, self.address)
        except Exception:  # noqa: BLE001 - as above
            _log.exception("auth_failed")
            good = False
        if good is not True:
            self._refused("password")
            await asyncio.sleep(self.house.rules.refusal_seconds)
            return False
        self._tries -= 1
        self.proved = Entered(username, "password", None)
        return True

    def send_userauth_failure(self, partial_success: bool) -> None:  # noqa: FBT001 - the signature is asyncssh's
        """Refuse one try; paramiko asks for the service again before the next, which OpenSSH's sshd takes too."""
        super().send_userauth_failure(partial_success)
        self._next_service = b"ssh-userauth"

    def send_server_host_keys(self) -> None:
        """Announce our host keys, once: a short session is over before asyncssh would come to it."""
        if not self._announced:
            self._announced = True
            super().send_server_host_keys()

    def try_once(self) -> bool:
        """Count a try when it begins: one that is overtaken by the next has been one. False if it was one too many."""
        self._tried = True
        self._tries += 1
        if self._tries <= self.house.rules.tries:
            return True
        self.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many tries")
        return False

    def _stands(self, username: str, key_data: bytes, certificate: Any) -> bool:
        trust = self.house.rules.trust
        if certificate is None:
            return not trust.revoked().covers(fingerprints=frozenset((fingerprint(key_data),)), serial=-1, key_id="")
        # asyncssh takes a certificate without principals for one that is good for everybody; sshd does not.
        blobs = (key_data, certificate.key.public_data, certificate.signing_key.public_data)
        return username in certificate.principals and not trust.revoked().covers(
            fingerprints=frozenset(map(fingerprint, blobs)),
            serial=certificate._serial,  # noqa: SLF001 - it has no public name
            key_id=certificate._key_id,  # noqa: SLF001 - nor has this
        )

    def _refused(self, method: str) -> None:
        self.house.kit.tally.add(Figure.LOGINS, method, "refused")


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

    def password_auth_supported(self) -> bool:
        """Say whether passwords are, whoever asks: the answer must not depend on the account."""
        return self._here.house.rules.passwords is True

    async def validate_password(self, username: str, password: str) -> bool:
        """Answer a password that came in by keyboard-interactive as one that came in by itself."""
        return await self._here.validate_password(username, password)

    async def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether certificates of an authority open the account; asyncssh then looks at the certificate."""
        conn = self._here
        believed = await asyncio.to_thread(conn.house.rules.trust.authorities)
        account = await conn.house.kit.store.read(lambda db: entering.open_account(db, username, address=conn.address))
        return account is not None and fingerprint(key.public_data) in believed

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
        conn.send_server_host_keys()
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


def _certificate(key_data: bytes) -> Any:
    """Return an OpenSSH certificate, or None for a key. Raises for what only calls itself a certificate."""
    length = int.from_bytes(key_data[:4], "big")
    kind = key_data[4 : 4 + length]
    if not kind.endswith(_CERTIFICATE):
        return None
    return asyncssh.import_certificate(kind + b" " + base64.b64encode(key_data))

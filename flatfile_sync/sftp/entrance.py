"""The entrance: connections are accepted here and judged before they are told anything, even our name.

```
accept -> banned, denied? -> PROXY header, if a trusted proxy speaks -> banned, denied? -> a place left? -> SSH
```

Whoever is turned away gets a reset and no byte; nothing of SSH has been paid for them.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from flatfile_sync.domain.addresses import Address, household, household_name, parse, within
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline import banning
from flatfile_sync.pipeline.entering import NAME
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.sftp import proxying
from flatfile_sync.sftp.places import Place, Places
from flatfile_sync.sftp.rules import Rules

_BACKLOG: Final = 512
_HEADER_SECONDS: Final = 5.0
# The command line lifts bans beside the daemon.
_LOOK_AGAIN_SECONDS: Final = 5.0
# When no descriptor is left, accepting again at once would only spin.
_BREATHE_SECONDS: Final = 0.2

_log = structlog.get_logger()

Admit = Callable[[socket.socket, Address, Place], Awaitable[None]]
"""Begins SSH on a socket with a client at an address; whoever does gives the place back when the connection ends."""


class Entrance:
    """Listens and judges; `admit` is given what may come in."""

    def __init__(self, rules: Rules, *, kit: Kit, admit: Admit) -> None:
        self._rules, self._kit, self._admit = rules, kit, admit
        self._banned: set[str] = set()
        self._arriving: set[asyncio.Task[None]] = set()
        self.places = Places(most=rules.connections, strangers=rules.strangers, per_address=rules.strangers_per_address)

    async def run(self, listener: socket.socket) -> None:
        """Accept until cancelled."""
        await self.look_again()
        loop = asyncio.get_running_loop()
        looking = asyncio.create_task(self._keep_looking())
        try:
            while True:
                try:
                    sock, peer = await loop.sock_accept(listener)
                except OSError as error:
                    _log.warning("door_accept_failed", reason=error.strerror)
                    await asyncio.sleep(_BREATHE_SECONDS)
                    continue
                self._arrive(sock, parse(peer[0].partition("%")[0]))
        finally:
            looking.cancel()
            for task in list(self._arriving):
                task.cancel()

    async def strike(self, address: Address) -> None:
        """Hold a failure against an address."""
        if within(address, self._rules.unbanned) or within(address, self._rules.proxies):
            return
        name = household_name(address)
        until = await banning.strike(name, policy=self._rules.bans, kit=self._kit)
        if until is not None and until > self._kit.clock():
            if name not in self._banned:
                _log.warning("address_banned", address=name, until=until.isoformat())
            self._banned.add(name)

    async def guessed(self, account: str) -> None:
        """Hold a wrong password against an account's name, whether there is one or not."""
        if NAME.fullmatch(account):
            name = banning.PASSWORDS_OF + account
            until = await banning.strike(name, policy=self._rules.guesses, kit=self._kit)
            if until is not None and until > self._kit.clock():
                self._banned.add(name)

    def locked(self, account: str) -> bool:
        """Return whether passwords of an account are refused for now."""
        return banning.PASSWORDS_OF + account in self._banned

    async def look_again(self) -> None:
        """Learn which bans run: some end, some are lifted by an operator."""
        self._banned = set(await banning.running(kit=self._kit))

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            try:
                await self.look_again()
            except Exception:  # noqa: BLE001 - the bans that were known still hold
                _log.exception("bans_not_read")

    def _arrive(self, sock: socket.socket, peer: Address | None) -> None:
        if peer is None:
            self._turn_away(sock, "denied")
            return
        proxied = within(peer, self._rules.proxies)
        refusal = None if proxied else self._refusal(peer)
        if refusal is not None:
            self._turn_away(sock, refusal)
            return
        # A proxy's connections count together only until they have said for whom.
        place = self.places.take(household(peer))
        if place is None:
            self._turn_away(sock, "full")
            return
        task = asyncio.create_task(self._let_in(sock, peer, place, proxied=proxied))
        place.end = task.cancel
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _refusal(self, address: Address) -> str | None:
        if within(address, self._rules.denied):
            return "denied"
        if self._rules.allowed and not within(address, self._rules.allowed):
            return "denied"
        return "banned" if household_name(address) in self._banned else None

    async def _let_in(self, sock: socket.socket, address: Address, place: Place, *, proxied: bool) -> None:
        admitted = False
        try:
            if proxied:
                client = await self._spoken_for(sock)
                if client is None:
                    return
                address = client
                if not self.places.move(place, household(address)):
                    self._turn_away(sock, "full")
                    return
            await self._admit(sock, address, place)
            admitted = True
            self._count("accepted")
        except Exception:  # noqa: BLE001 - one connection's trouble must not end the door
            _log.exception("door_admission_failed")
        finally:
            if not admitted:
                self.places.leave(place)
                _reset(sock)

    async def _spoken_for(self, sock: socket.socket) -> Address | None:
        """Return the client that a proxy names; None if there is none to serve, which then has been counted."""
        try:
            async with asyncio.timeout(_HEADER_SECONDS):
                client = await _header(sock)
        except (OSError, ValueError, TimeoutError):
            self._turn_away(sock, "bad_proxy_header")
            return None
        if client is None:
            self._turn_away(sock, "proxy_itself")
            return None
        refusal = self._refusal(client)
        if refusal is not None:
            self._turn_away(sock, refusal)
            return None
        return client

    def _turn_away(self, sock: socket.socket, result: str) -> None:
        self._count(result)
        _reset(sock)

    def _count(self, result: str) -> None:
        self._kit.tally.add(Figure.CONNECTIONS, result)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises `ConfigurationError` if the address cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unusable(host, port, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, error) from None
    return listener


def _unusable(host: str, port: int, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"sftp.host {host!r}, sftp.port {port}: cannot be listened on: {error.strerror}. "
        "Is another daemon running? A port of 0 takes any free one."
    )


async def _header(sock: socket.socket) -> Address | None:
    """Read exactly the header: what follows belongs to SSH."""
    loop = asyncio.get_running_loop()
    seen = b""
    while True:
        # One byte at a time: only the last one says that it was the last, and the next is SSH's.
        more = await loop.sock_recv(sock, 1)
        if not more:
            raise ValueError("the connection ended")
        seen += more
        spoken = proxying.read(seen)
        if spoken is not None:
            return spoken.client


def _reset(sock: socket.socket) -> None:
    """Close at once, without leaving a connection in TIME_WAIT that a flood could fill the machine with."""
    if sock.fileno() < 0:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    finally:
        sock.close()

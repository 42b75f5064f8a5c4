"""A door in this process, and clients at any loopback address: raw sockets, and OpenSSH's own."""

import asyncio
import contextlib
import shutil
import time

import asyncssh

from flatfile_sync.daemon.keys import new_key_pair, parse_public_key
from flatfile_sync.sftp.door import Door
from flatfile_sync.sftp.rules import Rules
from flatfile_sync.store import accounts
from flatfile_sync.store.accounts import Key
from tests.doubles import START

SECONDS = 20


class Line:
    """A door on a kit; `rules` as an operator would say them."""

    def __init__(self, kit, folder, *, host_keys=None, **rules):
        self.kit, self.folder = kit, folder
        keys = host_keys if host_keys is not None else [asyncssh.generate_private_key("ssh-ed25519")]
        self.door = Door(kit=kit, host="127.0.0.1", port=0, host_keys=keys, rules=Rules(**rules))

    async def __aenter__(self):
        self._stop = asyncio.Event()
        self._running = asyncio.create_task(self.door.run(self._stop))
        ready = asyncio.create_task(self.door.ready.wait())
        await asyncio.wait({ready, self._running}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._running.done():
            self._running.result()
        return self

    async def __aexit__(self, *_):
        self._stop.set()
        await asyncio.wait_for(self._running, SECONDS)

    async def account(self, name, **changes):
        """Make an account and return the file of its private key."""
        private, public = new_key_pair(comment=name)
        file = self.folder / f"{name}.key"
        file.write_bytes(private)
        file.chmod(0o600)
        parsed = parse_public_key(public)

        def add(conn):
            if accounts.by_name(conn, name) is None:
                accounts.add(conn, name=name, project="loyalty", feeds=(), now=START)
            key = Key(name, parsed.fingerprint, parsed.public_key, "", START, None)._replace(**changes)
            accounts.add_key(conn, key)

        await self.kit.store.write(add)
        return file

    async def raw(self, address="127.0.0.1"):
        """Connect without a word; returns reader and writer."""
        return await asyncio.open_connection("127.0.0.1", self.door.port, local_addr=(address, 0))

    async def heard(self, address="127.0.0.1", *, say=b""):
        """Return the first line a client hears; empty if it is cut off."""
        try:
            reader, writer = await self.raw(address)
        except ConnectionError:
            return b""
        try:
            writer.write(say)
            with contextlib.suppress(ConnectionError):
                return await asyncio.wait_for(reader.readline(), SECONDS)
            return b""
        finally:
            await hang_up(writer)

    async def openssh(self, user, *options, key=None, address="127.0.0.1", commands="ls /\n"):
        """Run OpenSSH's sftp; returns its exit code and what it printed."""
        if shutil.which("sftp") is None:
            raise AssertionError("OpenSSH's sftp is missing; `apt-get install openssh-client` brings it.")
        known = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
        if any(option.startswith("UserKnownHostsFile=") for option in options):
            known = ()
        process = await asyncio.create_subprocess_exec(
            "sftp",
            *("-F", "none", "-b", "-", "-P", str(self.door.port), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"),
            *(("-i", str(key)) if key is not None else ()),
            *("-o", f"BindAddress={address}", "-o", "LogLevel=ERROR", *known, *options),
            f"{user}@127.0.0.1",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(commands.encode()), SECONDS)
        return process.returncode, said.decode()

    async def until(self, ready):
        """Wait until `ready()` is true and return what it is."""
        deadline = time.monotonic() + SECONDS
        while not (found := ready()):
            if time.monotonic() > deadline:
                raise AssertionError("it did not come to that")
            await asyncio.sleep(0.01)
        return found


async def hang_up(writer):
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()

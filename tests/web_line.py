"""The HTTP door for tests: real TLS on loopback, a real certificate that signs, passes in a real store."""

import asyncio
import functools
import hashlib
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import httpx
import orjson
import sqlalchemy as sa

from flatfile_sync.config.settings import Settings
from flatfile_sync.config.web import WebSettings
from flatfile_sync.daemon.apple import AppleWallet
from flatfile_sync.daemon.issuing import Passes
from flatfile_sync.daemon.web import build
from flatfile_sync.spool.images import Images
from flatfile_sync.store import passes, registrations
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.tables import micros
from flatfile_sync.store.tables import passes as passes_table
from flatfile_sync.wallets.apple.issuing import Issuer
from flatfile_sync.wallets.apple.tokens import KEY_ID, TokenKeys
from flatfile_sync.web.app import application
from flatfile_sync.web.connections import Places
from flatfile_sync.web.device_log import DeviceLog
from flatfile_sync.web.door import Door
from flatfile_sync.web.guard import Guard
from flatfile_sync.web.passkit import PassKit
from flatfile_sync.web.rates import Rates
from flatfile_sync.web.rendered import Rendered
from flatfile_sync.web.tls import Tls
from tests.apple_keys import PASS_TYPE_IDENTIFIER, apple_keys
from tests.builders import kit, loyalty
from tests.device_double import Device
from tests.doubles import FixedProjects
from tests.line import seed
from tests.pass_types import MODEL, made, png
from tests.tls import server_pem
from tests.unit.wallets.apple.passes import certificate

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
TOKEN_KEYS = TokenKeys({"2026": b"0" * 32})


class FakeMonotonic:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@functools.cache
def card(**changes):
    return made(**changes)


@dataclass(kw_only=True)
class Site:
    """A web service on a store, and how its passes change."""

    store: Any
    clock: Any
    spool: Any = None
    door: Door | None = None
    monotonic: FakeMonotonic = field(default_factory=FakeMonotonic)
    fetched: list = field(default_factory=list)
    counted: list = field(default_factory=list)
    projects: FixedProjects = field(
        default_factory=lambda: FixedProjects({"loyalty": loyalty(model=MODEL, pass_types=(card(),))})
    )
    waits: list = field(default_factory=list)
    issued: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        images = {digest: data for data in (png(), png(3), png(4)) for digest in [_sha256(data)]}
        issuer = Issuer(
            certificate=certificate(), tokens=TOKEN_KEYS, web_service_url="https://localhost", image=images.get
        )
        self.passes = Passes(store=self.store, projects=self.projects, issuer=issuer, monotonic=self.monotonic)
        self.rendered = Rendered(self._issue, version=self.passes.version, most_bytes=1 << 20)
        self.kit = kit(self.store, self.spool, clock=self.clock, projects=self.projects)
        self.log = DeviceLog(monotonic=self.monotonic, tally=self.kit.tally)
        self.passkit = PassKit(
            kit=self.kit,
            identifier=PASS_TYPE_IDENTIFIER,
            key_of=lambda memory: str(memory.get(KEY_ID, "")),
            fits=lambda text, key_id, serial: TOKEN_KEYS.fits(text, key_id=key_id, serial=serial),
            rendered=self.rendered,
            fetched=lambda number, revision: self.fetched.append((number, revision)),
            log=self.log,
        )

    async def _issue(self, row):
        self.issued += 1
        self.begun.set()
        return await self.passes.issue(row)

    async def pkpass(self, pass_id):
        """Return what a holder gets who adds the pass."""
        row = await self.store.read(lambda conn: passes.by_id(conn, pass_id))
        return await self.rendered.get(row)

    def seed(self, *members):
        """Store loyalty cards and return their ids."""
        return seed(self, *members)

    def change(self, *pass_ids, **values):
        """Change the documents of passes in one transaction, as an apply does."""
        return self.store.write_now(lambda conn: change(conn, self.clock(), pass_ids, values))

    def token(self, pass_id):
        return TOKEN_KEYS.token("2026", pass_id).text

    def row(self, pass_id):
        return self.store.read_now(lambda conn: passes.by_id(conn, pass_id))

    def tokens(self, pass_id):
        number = self.row(pass_id).no
        return self.store.read_now(lambda conn: registrations.tokens_of(conn, [number])).get(number, ())

    def device(self, **changes):
        async def sleep(seconds):
            self.waits.append(seconds)

        return Device(trust=trust(), root=apple_keys().root_pem, sleep=sleep, **changes)

    def guard(self, *routers, **changes):
        values = {
            "app": application(routers or [self.passkit.routes()]),
            "trusted": LOOPBACK,
            "by_address": Rates(rate=1e6, burst=1e6, monotonic=self.monotonic),
            "total": Rates(rate=1e6, burst=1e6, monotonic=self.monotonic),
            "counted": lambda *what: self.counted.append(what),
        }
        return Guard(**(values | changes))

    @asynccontextmanager
    async def open(self, folder, *, app=None, **changes):
        """Open the door on a free port with a certificate of its own."""
        file = folder / "server.pem"
        file.write_bytes(server_pem())
        values = {"tls": Tls(file), "places": Places(most=100, trusted=LOOPBACK)}
        self.door = Door(app or self.guard(), host="127.0.0.1", port=0, **(values | changes))
        async with running(self.door):
            object.__setattr__(self.passes.issuer, "web_service_url", f"https://localhost:{self.door.port}/")
            yield self.door

    def client(self, **changes):
        """Return a client that knows the door."""
        scheme = "https" if self.door.tls else "http"
        return httpx.AsyncClient(base_url=f"{scheme}://localhost:{self.door.port}", verify=trust(), **changes)


@asynccontextmanager
async def running(part):
    """Run a part of the daemon until the block ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(part.run(stop))
    ready = asyncio.create_task(part.ready.wait())
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    try:
        if task.done():
            task.result()
        yield part
    finally:
        stop.set()
        await task


def change(conn, now, pass_ids, values):
    """Merge values into documents; revision, tag and whole seconds rise as in `pipeline.merging`."""
    tag = next_tag(conn)
    for pass_id in pass_ids:
        row = passes.by_id(conn, pass_id)
        second = 1_000_000
        conn.execute(
            sa.update(passes_table)
            .where(passes_table.c.no == row.no)
            .values(
                document=orjson.dumps(orjson.loads(row.document) | values).decode(),
                revision=row.revision + 1,
                tag=tag,
                modified_at=sa.literal(max(micros(now) // second * second, row.modified_at + second), sa.BigInteger),
            )
        )


@functools.cache
def trust() -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=apple_keys().root_pem.decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def settings(folder, **web):
    """Return the settings of a daemon whose doors take any port; `web` are those of the HTTP door."""
    values = {"port": 0, "public_url": "https://passes.example.com"} | web
    return Settings(data_folder=folder, projects_folder=folder / "projects", web=WebSettings(**values))


def whole(site, folder, *, apple=True, google=None, queues=None, **web):
    """Return the parts that a daemon has for its HTTP door, on a site's store and projects."""
    images = Images(folder / "images")
    for data in (png(), png(3), png(4)):
        images.put(data)
    issuer = Issuer(
        certificate=certificate(), tokens=TOKEN_KEYS, web_service_url="https://passes.example.com/", image=images.get
    )
    wallet = AppleWallet(certificate=issuer.certificate, tokens=TOKEN_KEYS, issuer=issuer, platform=None)
    return build(
        settings(folder, **web), site.kit, images=images, apple=wallet if apple else None, google=google, queues=queues
    )


@asynccontextmanager
async def opened(parts, **client):
    """Run the door of these parts, and yield a client that knows it."""
    async with running(parts.door), httpx.AsyncClient(base_url=parts.door.address, verify=trust(), **client) as known:
        yield known

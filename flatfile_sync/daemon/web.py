"""The HTTP door from its settings: which routes there are, and what stands behind each."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter

from flatfile_sync.config.settings import Settings
from flatfile_sync.config.web import WebSettings
from flatfile_sync.daemon.apple import AppleWallet
from flatfile_sync.daemon.google import GoogleParts
from flatfile_sync.daemon.issuing import Passes
from flatfile_sync.daemon.link_key import linker
from flatfile_sync.daemon.offers import offer
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.states import Platform
from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline.fetching import Fetches
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.packing import wrap
from flatfile_sync.pipeline.registering import hand_out
from flatfile_sync.spool.images import Images as StoredImages
from flatfile_sync.store import memories
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.apple.bundle import bundle
from flatfile_sync.wallets.apple.tokens import KEY_ID, TokenKeys
from flatfile_sync.wallets.google.callbacks import Callback
from flatfile_sync.web.add import AddToWallet
from flatfile_sync.web.app import application, prefix_of
from flatfile_sync.web.connections import Places
from flatfile_sync.web.device_log import DeviceLog
from flatfile_sync.web.door import Door
from flatfile_sync.web.google import Callbacks, Saved
from flatfile_sync.web.guard import Guard
from flatfile_sync.web.health import Expiry, Health
from flatfile_sync.web.images import Images
from flatfile_sync.web.metrics import LoopLag, Metrics
from flatfile_sync.web.page import Offer
from flatfile_sync.web.passkit import PassKit
from flatfile_sync.web.rates import Rates
from flatfile_sync.web.rendered import Rendered
from flatfile_sync.web.tls import Tls

_ADDRESS_SECONDS, _TOTAL_SECONDS = 10, 2  # what may come at once, in seconds' worth of the rates
_BADGES: Final = {".svg": "image/svg+xml", ".png": "image/png"}
_MOST_BADGE: Final = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """What runs for the HTTP door."""

    door: Door
    fetches: Fetches
    lag: LoopLag


@dataclass(slots=True, kw_only=True)
class _Site:
    """What the routes share."""

    settings: Settings
    kit: Kit
    images: StoredImages
    apple: AppleWallet | None
    google: GoogleParts | None
    fetches: Fetches
    passes: Passes
    tls: Tls | None
    queues: dict[str, Callable[[], int]]
    rendered: Rendered

    def routers(self, lag: LoopLag) -> list[APIRouter]:
        """Return every route there is with these settings."""
        web = self.settings.web
        operators = web.networks("operators")
        health = Health(
            store=self.kit.store,
            folder=self.settings.data_folder,
            clock=self.kit.clock,
            operators=operators,
            expiries=self.expiries,
        )
        metrics = Metrics(
            store=self.kit.store,
            tally=self.kit.tally,
            lag=lag,
            operators=operators,
            queues=self.queues,
            expiries=self.expiries,
        )
        found = [health.routes(), metrics.routes(), Images(self.images.get).routes(), self.add_to_wallet().routes()]
        if self.apple is not None:
            found.append(self.passkit(self.apple).routes())
        if self.google is not None:
            found.append(Callbacks(kit=self.kit, verify=self.verify).routes())
        return found

    def passkit(self, apple: AppleWallet) -> PassKit:
        """Return the web service of Apple's devices."""
        return PassKit(
            kit=self.kit,
            identifier=apple.certificate.pass_type_identifier,
            key_of=lambda memory: str(memory.get(KEY_ID, "")),
            fits=_fits(apple.tokens),
            rendered=self.rendered,
            fetched=self.fetches.note,
            log=DeviceLog(monotonic=time.monotonic, tally=self.kit.tally),
        )

    def add_to_wallet(self) -> AddToWallet:
        """Return the page of links."""
        return AddToWallet(
            kit=self.kit,
            linker=linker(self.settings),
            offer=self.offer,
            apple=self.apple_file if self.apple is not None else None,
            google=self.save_link if self.google is not None else None,
            badges=badges(self.settings.web),
        )

    async def offer(self, row: PassRow, language: str) -> Offer:
        """Return what the page says of a pass."""
        project, pass_type, shown = await self.passes.show(row)
        wallets: dict[str, Any] = {"apple": self.apple is not None, "google": self.google is not None}
        return offer(project, pass_type, shown, language, **wallets)

    async def apple_file(self, rows: Sequence[PassRow]) -> bytes:
        """Return the file that adds passes to Apple Wallet."""
        made = [await self.rendered.get(row) for row in rows]
        await hand_out({row.no: row.revision for row in rows}, kit=self.kit)
        return made[0] if len(made) == 1 else bundle(made)

    async def save_link(self, row: PassRow) -> str:
        """Return the address that adds a pass to Google Wallet."""
        kit, google = self.kit, self._google()
        parcel = await kit.store.read(lambda conn: wrap(conn, row, Platform.GOOGLE, kit=kit))
        link = await google.platform.save_link(parcel)
        if link.memory is not None:
            memory = {row.no: link.memory}
            await kit.store.write(lambda conn: memories.keep_many(conn, Platform.GOOGLE.value, memory))
        return link.url

    async def verify(self, body: bytes) -> Saved | None:
        """Return what Google says, None if it did not say it."""
        google = self._google()
        told = await google.receiver.receive(body)
        if not isinstance(told, Callback):
            return None
        return Saved(google.names.pass_id(told.object_id), told.event.value, told.nonce)

    def _google(self) -> GoogleParts:
        if self.google is None:
            raise AssertionError("There is no such route without Google.")
        return self.google

    def expiries(self) -> list[Expiry]:
        """Return the certificates in use and when they end."""
        found = [Expiry("certificate of the door", self.tls.not_after)] if self.tls is not None else []
        if self.apple is not None:
            own = self.apple.certificate
            found.append(Expiry("pass type certificate", own.leaf.not_valid_after_utc))
            found += [Expiry("Apple's intermediate certificate", one.not_valid_after_utc) for one in own.chain]
        return found


def build(
    settings: Settings,
    kit: Kit,
    *,
    images: StoredImages,
    apple: AppleWallet | None = None,
    google: GoogleParts | None = None,
    queues: dict[str, Callable[[], int]] | None = None,
) -> WebParts | None:
    """Build the HTTP door, None if the settings want none; nothing listens yet. Raises `ConfigurationError`."""
    web = settings.web
    if not web.enabled:
        return None
    lag, fetches = LoopLag(), Fetches(kit)
    passes = Passes(store=kit.store, projects=kit.projects, issuer=apple.issuer if apple is not None else None)
    site = _Site(
        settings=settings,
        kit=kit,
        images=images,
        apple=apple,
        google=google,
        fetches=fetches,
        passes=passes,
        tls=load_tls(web),
        queues={"writes": lambda: kit.store.waiting, "fetches": lambda: len(fetches), **(queues or {})},
        rendered=Rendered(passes.issue, version=passes.version, most_bytes=web.cache_bytes),
    )
    trusted = web.networks("trusted_proxies")
    app = application(
        site.routers(lag), prefixes=("", prefix_of(web.public_url), prefix_of(settings.apple.web_service_url))
    )
    guard = Guard(
        app=app,
        trusted=trusted,
        by_address=_rates(web.address_rate, _ADDRESS_SECONDS),
        total=_rates(web.total_rate, _TOTAL_SECONDS),
        counted=lambda route, method, status: kit.tally.add(Figure.REQUESTS, route, method, str(status)),
    )
    places = Places(most=web.connections, trusted=trusted)
    door = Door(guard, host=web.host, port=web.port, places=places, tls=site.tls)
    return WebParts(door=door, fetches=fetches, lag=lag)


def load_tls(web: WebSettings) -> Tls | None:
    """Return the door's own certificate, None if a proxy speaks TLS. Raises `ConfigurationError`."""
    if not web.certificate_file:
        return None
    password = os.environ.get(web.password_env) if web.password_env else None
    if web.password_env and not password:
        raise ConfigurationError(
            f"web.password_env: the environment variable {web.password_env} is not set; set it to the key's password."
        )
    return Tls(Path(web.certificate_file), key=Path(web.key_file) if web.key_file else None, password=password)


def _fits(tokens: TokenKeys) -> Callable[[str, str, str], bool]:
    return lambda text, key_id, serial: tokens.fits(text, key_id=key_id, serial=serial)


def _rates(rate: float, seconds: int) -> Rates:
    return Rates(rate=rate, burst=max(rate * seconds, 1), monotonic=time.monotonic)


def badges(web: WebSettings) -> dict[str, tuple[str, bytes]]:
    """Return the official badges that were put in. Raises `ConfigurationError` for a folder that is not there."""
    if not web.badges_folder:
        return {}
    folder = Path(web.badges_folder)
    if not folder.is_dir():
        raise ConfigurationError(f"web.badges_folder: {folder} is no folder; put apple.svg and google.svg into one.")
    files = [file for file in sorted(folder.iterdir()) if file.suffix in _BADGES and file.stat().st_size <= _MOST_BADGE]
    return {file.stem: (_BADGES[file.suffix], file.read_bytes()) for file in files}

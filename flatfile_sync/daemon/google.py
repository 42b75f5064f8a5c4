"""Google Wallet from its settings: the platform, and what verifies Google's callbacks."""

import os
import ssl
from dataclasses import dataclass

import httpx

from flatfile_sync.config.google import GoogleSettings
from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.states import Platform
from flatfile_sync.domain.tally import Tally
from flatfile_sync.store.database import Store
from flatfile_sync.store.pacing import StoreCircuit, StoreLedger, StorePace
from flatfile_sync.wallets.google.account import ServiceAccount, Source, read_source, service_account
from flatfile_sync.wallets.google.client import Client, http_client
from flatfile_sync.wallets.google.links import Links
from flatfile_sync.wallets.google.platform import Google, Texts, plain_text
from flatfile_sync.wallets.google.receiver import Receiver
from flatfile_sync.wallets.google.rendering import Names, class_renderer, object_renderer
from flatfile_sync.wallets.google.tokens import Tokens
from flatfile_sync.wallets.templates.rendering import ImageUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleParts:
    """What a daemon has of Google; `names` tells which pass a callback is about."""

    platform: Google
    receiver: Receiver
    names: Names
    http: httpx.AsyncClient

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()


def google(
    settings: GoogleSettings,
    store: Store,
    *,
    clock: Clock,
    image_url: ImageUrl,
    callback_url: str = "",
    texts: Texts = plain_text,
    tally: Tally | None = None,
) -> GoogleParts:
    """Build what `settings.configured` asks for; nothing is sent yet. Raises `ConfigurationError`.

    `image_url` says under which address Google fetches an image; `callback_url` is where the web door takes callbacks,
    unless the settings say otherwise.
    """
    known = account(settings)
    names = Names(issuer=settings.issuer_id, prefix=settings.id_prefix)
    http = http_client(context=_context(settings.authorities_file), patience=settings.timeout, proxy=settings.proxy_url)
    rate = settings.requests_per_second
    client = Client(
        Tokens(known, http=http, clock=clock),
        http=http,
        pace=StorePace(store, f"google:{settings.issuer_id}", rate=rate, clock=clock),
        api=settings.api_url,
        tally=tally,
    )
    address = settings.save_url if settings.save_url.endswith("/") else f"{settings.save_url}/"
    platform = Google(
        client,
        names=names,
        render_object=object_renderer(image_url),
        render_class=class_renderer(image_url),
        ledger=StoreLedger(store, Platform.GOOGLE, clock=clock),
        circuit=StoreCircuit(store, clock=clock),
        links=Links(known, clock=clock, origins=settings.origins, address=address),
        callback_url=settings.callback_url or callback_url,
        texts=texts,
        rate=rate,
        batch=max(1, int(rate)),
    )
    receiver = Receiver(
        http=http,
        recipient=settings.callback_recipient or settings.issuer_id,
        clock=clock,
        keys_url=settings.callback_keys_url,
        sender=settings.callback_sender,
    )
    return GoogleParts(platform=platform, receiver=receiver, names=names, http=http)


def account(settings: GoogleSettings) -> ServiceAccount:
    """Return the service account, checked. Raises `ConfigurationError`."""
    if settings.service_account_file:
        source = read_source(settings.service_account_file)
    else:
        variable = settings.service_account_env
        if not os.environ.get(variable):
            raise ConfigurationError(
                f"google.service_account_env: the environment variable {variable} is not set; "
                "it holds the JSON key of a service account."
            )
        source = Source(f"${variable}", os.environ[variable].encode())
    return service_account(source, token_uri=settings.token_url)


def _context(file: str) -> ssl.SSLContext | None:
    if not file:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(f"google.authorities_file: found {file!r}, expected PEM certificates.") from None

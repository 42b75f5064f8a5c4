"""Apple Wallet from its settings: certificate, keys of the passes' tokens, what makes passes and what pushes."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flatfile_sync.config.apple import AppleSettings
from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.tally import Tally
from flatfile_sync.store.database import Store
from flatfile_sync.store.pacing import StoreCircuit, StorePace
from flatfile_sync.wallets.apple.apns import Apns, PushStyle
from flatfile_sync.wallets.apple.certificates import PassCertificate, Source, load_certificate
from flatfile_sync.wallets.apple.credentials import CertificateCredential, Credential, TokenCredential
from flatfile_sync.wallets.apple.issuing import Issuer
from flatfile_sync.wallets.apple.platform import Apple
from flatfile_sync.wallets.apple.pushing import Pusher
from flatfile_sync.wallets.apple.tokens import TokenKeys
from flatfile_sync.wallets.platform import Parcel

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleWallet:
    """What a daemon with a certificate has."""

    certificate: PassCertificate
    tokens: TokenKeys
    issuer: Issuer
    platform: Apple


def open_apple(
    settings: AppleSettings,
    *,
    store: Store,
    image: Callable[[str], bytes | None],
    clock: Clock,
    tally: Tally | None = None,
    environment: Environment = os.environ,
) -> AppleWallet | None:
    """Return Apple Wallet as it is set up, None without a certificate. Raises `ConfigurationError`."""
    if not settings.configured:
        return None
    certificate = open_certificate(settings, clock=clock, environment=environment)
    tokens = token_keys(settings, environment=environment)
    identifier = certificate.pass_type_identifier

    def topic_of(parcel: Parcel) -> str | None:
        return identifier if parcel.pass_type is not None and parcel.pass_type.apple else None

    pusher = Pusher(
        _credential(settings, certificate, clock),
        settings=Apns(host=settings.apns_host, port=settings.apns_port, style=PushStyle(settings.push_type)),
        authorities=_read(settings.apns_authorities_file).data if settings.apns_authorities_file else None,
    )
    rate = settings.pushes_per_second
    platform = Apple(
        {identifier: pusher},
        topic_of=topic_of,
        pace=StorePace(store, "apns", rate=rate, burst=max(1, int(rate)), clock=clock),
        circuit=StoreCircuit(store, clock=clock),
        clock=clock,
        rate=rate,
        batch=max(1, int(rate)),
        tally=tally,
    )
    issuer = Issuer(certificate=certificate, tokens=tokens, web_service_url=settings.web_service_url, image=image)
    return AppleWallet(certificate=certificate, tokens=tokens, issuer=issuer, platform=platform)


def open_certificate(
    settings: AppleSettings, *, clock: Clock, environment: Environment = os.environ
) -> PassCertificate:
    """Return the pass type certificate, checked. Raises `ConfigurationError`."""
    return load_certificate(
        _read(settings.certificate_file),
        key=_read(settings.key_file) if settings.key_file else None,
        password=_secret("password_env", settings.password_env, environment) if settings.password_env else None,
        wwdr=_read(settings.wwdr_file) if settings.wwdr_file else None,
        pass_type_identifier=settings.pass_type_identifier,
        team_identifier=settings.team_identifier,
        now=clock(),
    )


def token_keys(settings: AppleSettings, *, environment: Environment = os.environ) -> TokenKeys:
    """Return the keys of the passes' tokens. Raises `ConfigurationError` for one that is not set, or short."""
    named = settings.variables().items()
    return TokenKeys({key: _secret("token_keys", variable, environment).encode() for key, variable in named})


def _credential(settings: AppleSettings, certificate: PassCertificate, clock: Clock) -> Credential:
    if not settings.apns_key_file:
        return CertificateCredential(certificate)
    source = _read(settings.apns_key_file)
    return TokenCredential(source, key_id=settings.apns_key_id, team_id=settings.team_identifier, clock=clock)


def _secret(setting: str, variable: str, environment: Environment) -> str:
    found = environment.get(variable, "")
    if not found:
        raise ConfigurationError(
            f"apple.{setting}: the environment variable {variable} is not set; set it to the secret."
        )
    return found


def _read(file: str) -> Source:
    try:
        return Source(file, Path(file).read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}.") from None

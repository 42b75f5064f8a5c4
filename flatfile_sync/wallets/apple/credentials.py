"""How we show APNs who we are: with the pass type certificate, or with tokens signed by a key of the team."""

import secrets
import ssl
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.wallets.apple.apns_reasons import MINTING
from flatfile_sync.wallets.apple.certificates import PassCertificate, Source

# Apple: refresh your token no more than once every 20 minutes and no less than once every 60 minutes.
_LIFETIME: Final = timedelta(minutes=45)


class Credential(Protocol):
    """What a connection to APNs is opened with."""

    name: str
    """The circuit that opens when it is refused."""
    by_token: bool
    """Whether each push carries an authorization; then a connection is trusted after its first answer only."""

    def allows(self, topic: str) -> bool:
        """Return whether pushes on the topic may be sent with it."""
        ...

    def context(self, authorities: bytes | None = None) -> ssl.SSLContext:
        """Return TLS settings; `authorities` are PEM certificates to trust instead of the system's."""
        ...

    def authorization(self) -> str | None:
        """Return the header of that name for a push that goes out now."""
        ...

    def renew(self, refused: str) -> bool:
        """Make another authorization, as APNs called this one expired; return whether there is one to try."""
        ...


class CertificateCredential:
    """The certificate that signs passes of a type; APNs knows the topic by it."""

    by_token = False

    def __init__(self, certificate: PassCertificate) -> None:
        self.name = f"apns:{certificate.pass_type_identifier}"
        self._certificate = certificate

    def allows(self, topic: str) -> bool:
        """Return whether it is the topic the certificate names."""
        return topic == self._certificate.pass_type_identifier

    def context(self, authorities: bytes | None = None) -> ssl.SSLContext:
        """Return TLS settings that show the certificate."""
        context = _context(authorities)
        # The ssl module reads keys from files only. What stands on the disk for that moment is encrypted with a
        # password that exists in this function alone.
        password = secrets.token_bytes(24).hex()
        own = self._certificate
        key = own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
        shown = b"".join(one.public_bytes(Encoding.PEM) for one in (own.leaf, *own.chain))
        with tempfile.TemporaryDirectory(prefix="flatfile-sync-") as folder:
            file = Path(folder) / "credential.pem"
            file.write_bytes(key + shown)
            context.load_cert_chain(file, password=password)
        return context

    def authorization(self) -> None:
        """Return None: APNs ignores the header beside a certificate."""

    def renew(self, refused: str) -> bool:  # noqa: ARG002 - the shape of `Credential`
        """Return False: there is no other certificate."""
        return False


class TokenCredential:
    """A team's signing key (.p8). One token serves every push until it is 45 minutes old.

    Nothing here waits, so no two pushes can mint at the same time, however many ask at once.
    """

    by_token = True

    def __init__(self, key: Source, *, key_id: str, team_id: str, clock: Clock) -> None:
        self.name = f"apns:{team_id}/{key_id}"
        self.minted = 0
        self._key = _signing_key(key)
        self._key_id, self._team_id, self._clock = key_id, team_id, clock
        self._token: str | None = None
        self._minted_at: datetime | None = None
        self._renewed_at: datetime | None = None

    def allows(self, topic: str) -> bool:  # noqa: ARG002 - the shape of `Credential`
        """Return True: whether the team owns the topic, APNs alone knows."""
        return True

    def context(self, authorities: bytes | None = None) -> ssl.SSLContext:
        """Return TLS settings without a certificate of ours."""
        return _context(authorities)

    def authorization(self) -> str:
        """Return `bearer` and the token, a new one every 45 minutes."""
        now = self._clock()
        if self._token is None or self._minted_at is None or not timedelta(0) <= now - self._minted_at < _LIFETIME:
            self._mint(now)
        return f"bearer {self._token}"

    def renew(self, refused: str) -> bool:
        """Mint one token in place of the refused one, at most once per 20 minutes; pushes that come later share it."""
        if refused != self.authorization():
            return True
        now = self._clock()
        if self._renewed_at is not None and now - self._renewed_at < MINTING:
            return False
        self._renewed_at = now
        self._mint(now)
        return True

    def _mint(self, now: datetime) -> None:
        self._minted_at = now
        self.minted += 1
        claims = {"iss": self._team_id, "iat": int(now.timestamp())}
        self._token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})


def _context(authorities: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authorities.decode() if authorities else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context


def _signing_key(source: Source) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(source.data, None)
    except (TypeError, ValueError):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ConfigurationError(f"{source.name}: holds no P-256 key; give the .p8 file as Apple handed it out.")
    return key

"""The door's own certificate, read again when its files change: certificates are renewed while a daemon runs."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509

from flatfile_sync.domain.failures import ConfigurationError

_LOOK_EVERY: Final = 60.0

_log = structlog.get_logger()


class Tls:
    """A server's TLS settings. Raises `ConfigurationError` for files that cannot be used."""

    def __init__(self, certificate: Path, *, key: Path | None = None, password: str | None = None) -> None:
        self._certificate, self._key, self._password = certificate, key, password
        # TLS 1.2 and newer, and the ciphers that the ssl module thinks well of; Wallet asks for no more.
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen: tuple[float, ...] = ()
        self.not_after = datetime.min.replace(tzinfo=UTC)
        self.look()

    def look(self) -> bool:
        """Read the files if they changed since they were read last; return whether they did."""
        try:
            seen = tuple(file.stat().st_mtime for file in (self._certificate, self._key) if file is not None)
            if seen == self._seen:
                return False
            not_after = x509.load_pem_x509_certificate(self._certificate.read_bytes()).not_valid_after_utc
            # What a context does not refuse is used from the next handshake on.
            self.context.load_cert_chain(self._certificate, self._key, self._password or _no_password)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"web.certificate_file: {self._certificate} cannot be used: {type(error).__name__}; expected a "
                "certificate with its chain and its private key, PEM."
            ) from None
        self._seen, self.not_after = seen, not_after
        return True

    async def watch(self) -> None:
        """Look from time to time, until cancelled; files that cannot be used leave the old ones in place."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                if await asyncio.to_thread(self.look):
                    _log.info("certificate_read", not_after=self.not_after.isoformat())
            except ConfigurationError as error:
                _log.warning("certificate_not_read", error=str(error))


def _no_password() -> str:
    """Say that there is none: OpenSSL would ask at the terminal."""
    return ""

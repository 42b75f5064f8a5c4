"""The service account: the JSON file that Google's console hands out, read and checked."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flatfile_sync.domain.failures import ConfigurationError

TOKEN_URI: Final = "https://oauth2.googleapis.com/token"
_NEEDED: Final = ("client_email", "private_key", "private_key_id")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a secret was read from, and its bytes, which nothing shows."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """Who we are at Google; the key signs token requests and save links."""

    email: str
    key_id: str
    key: RSAPrivateKey = field(repr=False)
    token_uri: str = TOKEN_URI


def read_source(file: str) -> Source:
    """Return a file as a source; `ConfigurationError` if it cannot be read."""
    try:
        return Source(file, Path(file).read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}.") from None


def service_account(source: Source, *, token_uri: str = "") -> ServiceAccount:
    """Return the account of a key file; `token_uri` stands in for the file's own. Raises `ConfigurationError`."""
    told = _read(source)
    for name in _NEEDED:
        if not isinstance(told.get(name), str) or not told[name]:
            raise ConfigurationError(f"{source.name}: {name}: is missing; download a new JSON key of the account.")
    try:
        key = load_pem_private_key(told["private_key"].encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's text may quote what it read.
        raise ConfigurationError(f"{source.name}: private_key: expected an unencrypted PEM key.") from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigurationError(f"{source.name}: private_key: expected an RSA key, as RS256 needs one.")
    return ServiceAccount(
        email=told["client_email"],
        key_id=told["private_key_id"],
        key=key,
        token_uri=token_uri or str(told.get("token_uri") or TOKEN_URI),
    )


def _read(source: Source) -> dict[str, Any]:
    try:
        told = orjson.loads(source.data)
    except ValueError:
        raise ConfigurationError(f"{source.name}: expected the JSON key of a service account.") from None
    kind = told.get("type") if isinstance(told, dict) else None
    if kind != "service_account":
        raise ConfigurationError(f"{source.name}: type: found {kind!r}, expected 'service_account'.")
    found: dict[str, Any] = told
    return found

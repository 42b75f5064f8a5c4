"""Keys of accounts: a partner's public key as it was sent, and fresh pairs for the first account."""

import base64
import hashlib
from typing import Final, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from flatfile_sync.domain.failures import Refused

_RSA_BITS: Final = 3072
_SECURITY_KEYS: Final = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")


class PublicKey(NamedTuple):
    """A public key: `SHA256:...` as OpenSSH prints it, type and base64, and its comment."""

    fingerprint: str
    public_key: str
    comment: str


def parse_public_key(text: str) -> PublicKey:
    """Return the one OpenSSH public key of a text. Raises `Refused` that says what to send instead."""
    if "PRIVATE KEY" in text:
        raise Refused("This is a private key: it stays with its owner. Send the file that ends in .pub.")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise Refused(f"One public key is expected, on one line; the text has {len(lines)} lines.")
    kind, _, rest = lines[0].strip().partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    if kind == "ssh-dss":
        raise Refused("DSA keys are not taken: they sign with SHA-1. Make one with `ssh-keygen -t ed25519`.")
    try:
        blob = base64.b64decode(encoded, validate=True)
        if kind in _SECURITY_KEYS:
            _check_type(kind, blob)
        else:
            _check_strength(load_ssh_public_key(f"{kind} {encoded}".encode()))
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(
            f"{kind[:40]!r} does not begin a public key as OpenSSH writes it. Expected one line like "
            "`ssh-ed25519 AAAA... name`; `ssh-keygen -t ed25519` makes one, its file ends in .pub."
        ) from None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(f"SHA256:{digest}", f"{kind} {encoded}", comment.strip())


def new_key_pair(*, comment: str) -> tuple[bytes, str]:
    """Return a fresh ed25519 pair: the private key as OpenSSH keeps it, and the public line."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), f"{public} {comment}\n"


def _check_type(kind: str, blob: bytes) -> None:
    """Raise `ValueError` unless the content begins with its type: no library of ours reads keys of security tokens."""
    name = kind.encode()
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        raise ValueError(kind)


def _check_strength(key: object) -> None:
    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        raise Refused(f"An RSA key has at least {_RSA_BITS} bits here; this one has {key.key_size}.")

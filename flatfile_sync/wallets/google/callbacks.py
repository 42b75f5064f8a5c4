"""A callback of Google's: who saved or deleted an object, signed; verified here without any I/O.

Source: Google Wallet, Use callbacks for saving and deleting; Google Pay, Payment data cryptography (ECv2SigningOnly).
Signed are bytes: of each part its length in bytes, four of them, little-endian, then the part in UTF-8.
"""

import base64
import binascii
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

PROTOCOL: Final = "ECv2SigningOnly"
SENDER: Final = "GooglePayPasses"
_MILLISECONDS: Final = 1000


class Event(StrEnum):
    """What a holder did."""

    SAVE = "save"
    DELETE = "del"


class Rejection(StrEnum):
    """Why a callback counts for nothing."""

    MALFORMED = "malformed"
    PROTOCOL = "protocol"
    ROOT = "not signed by a root key"
    INTERMEDIATE_EXPIRED = "the intermediate key has expired"
    SIGNATURE = "not signed by the intermediate key"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class RootKey:
    """A key of Google's and until when it counts."""

    key: EllipticCurvePublicKey = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What Google says, verified. The nonce is the same in each repetition."""

    event: Event
    object_id: str
    class_id: str
    nonce: str
    expires_at: datetime


def root_keys(document: bytes) -> tuple[RootKey, ...]:
    """Return the keys of Google's list for our protocol; a key that cannot be read is none."""
    found = []
    for entry in _entries(document):
        key, expires_at = _key(entry.get("keyValue")), _moment(entry.get("keyExpiration"))
        if entry.get("protocolVersion") == PROTOCOL and key is not None and expires_at is not None:
            found.append(RootKey(key, expires_at))
    return tuple(found)


def verify(
    body: bytes, *, keys: Sequence[RootKey], recipient: str, now: datetime, sender: str = SENDER
) -> Callback | Rejection:
    """Return what a callback says, or why it counts for nothing. `recipient` is the issuer's id."""
    told = _json(body)
    if told.get("protocolVersion") != PROTOCOL:
        return Rejection.PROTOCOL if told else Rejection.MALFORMED
    middle, message = told.get("intermediateSigningKey"), told.get("signedMessage")
    if not isinstance(middle, dict) or not isinstance(message, str):
        return Rejection.MALFORMED
    key = _intermediate(middle, [root.key for root in keys if root.expires_at > now], sender, now)
    if isinstance(key, Rejection):
        return key
    if not _signed([key], [told.get("signature")], sender, recipient, PROTOCOL, message):
        return Rejection.SIGNATURE
    return _callback(_json(message.encode()), now)


def signed_bytes(*parts: str) -> bytes:
    """Return what is signed of some parts."""
    encoded = [part.encode() for part in parts]
    return b"".join(struct.pack("<I", len(part)) + part for part in encoded)


def _intermediate(
    told: Mapping[str, Any], roots: Sequence[EllipticCurvePublicKey], sender: str, now: datetime
) -> EllipticCurvePublicKey | Rejection:
    """Return the key that signs messages, if a root key says that it does and for how long."""
    signed_key, signatures = told.get("signedKey"), told.get("signatures")
    if not isinstance(signed_key, str) or not isinstance(signatures, list):
        return Rejection.MALFORMED
    if not _signed(roots, signatures, sender, PROTOCOL, signed_key):
        return Rejection.ROOT
    named = _json(signed_key.encode())
    key, expires_at = _key(named.get("keyValue")), _moment(named.get("keyExpiration"))
    if key is None or expires_at is None:
        return Rejection.MALFORMED
    return key if expires_at > now else Rejection.INTERMEDIATE_EXPIRED


def _callback(told: Mapping[str, Any], now: datetime) -> Callback | Rejection:
    names = [told.get(name) for name in ("objectId", "classId", "nonce")]
    expires_at = _moment(told.get("expTimeMillis"))
    if told.get("eventType") not in set(Event) or expires_at is None:
        return Rejection.MALFORMED
    if not all(isinstance(name, str) and name for name in names):
        return Rejection.MALFORMED
    if expires_at <= now:
        return Rejection.EXPIRED
    object_id, class_id, nonce = map(str, names)
    return Callback(
        event=Event(told["eventType"]), object_id=object_id, class_id=class_id, nonce=nonce, expires_at=expires_at
    )


def _signed(keys: Iterable[EllipticCurvePublicKey], signatures: Iterable[Any], *parts: str) -> bool:
    data = signed_bytes(*parts)
    decoded = [found for signature in signatures if (found := _base64(signature)) is not None]
    return any(_fits(key, signature, data) for key in keys for signature in decoded)


def _fits(key: EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _entries(document: bytes) -> Iterable[Mapping[str, Any]]:
    entries = _json(document).get("keys")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _key(value: Any) -> EllipticCurvePublicKey | None:
    data = _base64(value)
    try:
        key = load_der_public_key(data) if data else None
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def _base64(value: Any) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except binascii.Error:
        return None


def _moment(milliseconds: Any) -> datetime | None:
    """Return a moment given in milliseconds, as text or as a number; None of anything else."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(milliseconds) / _MILLISECONDS)
    except (TypeError, ValueError, OverflowError):
        return None

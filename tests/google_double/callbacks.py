"""Google's side of callbacks: keys, signatures, and a sender that repeats itself and tries again."""

import base64
import json
import secrets
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PROTOCOL = "ECv2SigningOnly"
SENDER = "GooglePayPasses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is said and how it is signed; a test spoils one of them."""

    protocol: str = PROTOCOL
    sender: str = SENDER
    recipient: str = "3388000000012345678"
    intermediate_until: timedelta = timedelta(days=7)
    message_until: timedelta = timedelta(hours=1)
    event: str = "save"
    more: dict = field(default_factory=dict)


class Sender:
    """Signs and sends callbacks as Google does: at least once, and again until it is answered with 2xx."""

    def __init__(self, *, clock: Callable[[], datetime], tries: int = 3) -> None:
        self.clock, self.tries = clock, tries
        self.root, self.intermediate = (generate_private_key(SECP256R1()) for _ in range(2))
        self.answers: list[int] = []

    def keys(self, *, protocol: str = PROTOCOL, until: timedelta = timedelta(days=30)) -> dict:
        """Return the list of root keys, with one of another protocol."""
        other = {"keyValue": _public(generate_private_key(SECP256R1())), "protocolVersion": "ECv1"}
        expires = str(_millis(self.clock() + until))
        return {
            "keys": [other, {"keyValue": _public(self.root), "protocolVersion": protocol, "keyExpiration": expires}]
        }

    def callback(self, object_id: str, class_id: str, told: Told | None = None, *, nonce: str | None = None) -> bytes:
        """Return a callback."""
        told = told or Told()
        now = self.clock()
        named = {"keyValue": _public(self.intermediate), "keyExpiration": str(_millis(now + told.intermediate_until))}
        message = {
            "classId": class_id,
            "objectId": object_id,
            "eventType": told.event,
            "expTimeMillis": _millis(now + told.message_until),
            "count": 1,
            "nonce": nonce or secrets.token_hex(16),
        } | told.more
        signed_key, signed_message = json.dumps(named), json.dumps(message, ensure_ascii=False)
        over_key = _sign(self.root, told.sender, told.protocol, signed_key)
        over_message = _sign(self.intermediate, told.sender, told.recipient, told.protocol, signed_message)
        found = {
            "signature": over_message,
            "intermediateSigningKey": {"signedKey": signed_key, "signatures": [over_key]},
            "protocolVersion": told.protocol,
            "signedMessage": signed_message,
        }
        return json.dumps(found, ensure_ascii=False).encode()

    async def send(
        self,
        deliver: Callable[[bytes], Awaitable[int]],
        object_id: str,
        class_id: str,
        event: str = "save",
        *,
        replays: int = 0,
    ) -> bool:
        """Send a callback until it is taken, then `replays` times more; return whether it ever was."""
        body = self.callback(object_id, class_id, replace(Told(), event=event))
        taken = False
        for _ in range(self.tries):
            self.answers.append(await deliver(body))
            taken = 200 <= self.answers[-1] < 300
            if taken:
                break
        for _ in range(replays):
            self.answers.append(await deliver(body))
        return taken


def _sign(key: EllipticCurvePrivateKey, *parts: str) -> str:
    data = b""
    for part in parts:
        encoded = part.encode("utf-8")
        data += struct.pack("<i", len(encoded)) + encoded
    return base64.b64encode(key.sign(data, ECDSA(SHA256()))).decode()


def _public(key: EllipticCurvePrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)

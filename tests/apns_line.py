"""Pushes for tests: a credential, pushes, parcels and a pusher that talks to the double."""

import asyncio
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flatfile_sync.domain.delivery import Delivery
from flatfile_sync.domain.states import DeliveryKind, DeliveryState, Lane, PassStatus, Platform
from flatfile_sync.wallets.apple.apns import Apns, Connection, Push
from flatfile_sync.wallets.apple.certificates import PassCertificate, Source
from flatfile_sync.wallets.apple.credentials import CertificateCredential, TokenCredential
from flatfile_sync.wallets.apple.pushing import Pusher
from flatfile_sync.wallets.platform import Parcel
from tests.apns_double import ApnsDouble, TeamKey, listening
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.doubles import ManualClock

TOPIC = PASS_TYPE_IDENTIFIER
KEY_ID = "ABC123DEFG"


def certificate(identifier=PASS_TYPE_IDENTIFIER):
    keys = apple_keys(identifier=identifier)
    return PassCertificate(
        pass_type_identifier=identifier,
        team_identifier=TEAM_IDENTIFIER,
        leaf=keys.leaf,
        chain=(keys.wwdr,),
        key=keys.key,
    )


def team_key():
    return generate_private_key(SECP256R1())


def token_credential(key, clock):
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TokenCredential(Source("AuthKey.p8", pem), key_id=KEY_ID, team_id=TEAM_IDENTIFIER, clock=clock)


def tokens(count, start=0):
    return [f"{number:064x}" for number in range(start, start + count)]


def pushes(count, start=0):
    return [Push(token=token, topic=TOPIC, apns_id=str(uuid.uuid4())) for token in tokens(count, start)]


async def until(condition):
    """Give the loop turns until something has happened on the wire; nothing signals what the other side has seen."""
    while not condition():  # noqa: ASYNC110 - as said
        await asyncio.sleep(0)


class Waits(list):
    """Remembers how long was to be waited, and does not wait."""

    async def __call__(self, seconds):
        self.append(seconds)


@asynccontextmanager
async def apns(*, clock=None, key=None, connection=Connection, credential=None, **settings):
    """Yield the double and a pusher that talks to it; with a key it pushes with tokens."""
    clock = clock or ManualClock()
    known = key and TeamKey(public=key.public_key(), key_id=KEY_ID, team_id=TEAM_IDENTIFIER)
    double = ApnsDouble(apple_keys(), clock=clock, team_key=known)
    async with listening(double):
        if credential is None:
            credential = token_credential(key, clock) if key else CertificateCredential(certificate())
        waits = Waits()
        pusher = Pusher(
            credential,
            settings=Apns(**{"host": "localhost", "port": double.port, "patience": 5.0} | settings),
            authorities=double.authorities,
            sleep=waits,
            connection=connection,
        )
        pusher.waits = waits
        try:
            yield double, pusher
        finally:
            await pusher.close()


class OpenPace:
    """Lets everything go, and counts it."""

    def __init__(self):
        self.taken = 0

    async def take(self, count=1):
        self.taken += count


class MemoryCircuit:
    """Circuits of this process."""

    def __init__(self):
        self.reasons = {}
        self.times = Counter()

    async def is_open(self, name):
        return name in self.reasons

    async def open(self, name, reason):
        self.times[name] += name not in self.reasons
        self.reasons.setdefault(name, reason)

    async def close(self, name):
        self.reasons.pop(name, None)


def parcel(number, *held, pass_no=None, revision=1, attempts=1, memory=None):
    """Return a parcel of delivery `number` whose pass is held by devices with these push tokens."""
    delivery = Delivery(
        id=number,
        project="loyalty",
        pass_no=pass_no or number,
        pass_id=f"p{pass_no or number}",
        pass_type="card",
        platform=Platform.APPLE,
        kind=DeliveryKind.CONTENT,
        revision=revision,
        lane=Lane.OPERATIONAL,
        drop_id=None,
        record=None,
        state=DeliveryState.SENDING,
        attempts=attempts,
        due_at=datetime(2026, 8, 1, tzinfo=UTC),
    )
    return Parcel(
        delivery=delivery,
        document={},
        status=PassStatus.ACTIVE,
        revision=revision,
        installed=len(held),
        tokens=held,
        memory=memory or {},
    )

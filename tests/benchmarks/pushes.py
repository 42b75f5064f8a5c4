"""Pushes a second and core against the double, beside aioapns on the same double, with a GOAWAY every 300 streams.

    python -m tests.benchmarks.pushes COUNT

The double runs in a process of its own, so that each client's processor time is its own. What is lost or doubled is
counted on both sides: a rate with losses is no rate.
"""

import asyncio
import json
import logging
import multiprocessing
import ssl
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aioapns import APNs, NotificationRequest
from aioapns.connection import APNsProductionClientProtocol

from flatfile_sync.wallets.apple.apns import Apns, Push
from flatfile_sync.wallets.apple.certificates import PassCertificate
from flatfile_sync.wallets.apple.credentials import CertificateCredential
from flatfile_sync.wallets.apple.pushing import Pusher
from tests.apns_double import ApnsDouble, listening
from tests.apns_line import TOPIC
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, AppleKeys, apple_keys
from tests.doubles import ManualClock

GOAWAY_EVERY = 300
CONNECTIONS = 4
_AT_ONCE = 1000
_PATIENCE = 10.0
# Both sides know the same keys, which are made once, before there is any thread.
_FORK = multiprocessing.get_context("fork")

Send = Callable[[AppleKeys, int, int], Awaitable[int]]
"""(keys, port of the double, how many) -> how many were answered 200."""


async def ours(keys: AppleKeys, port: int, count: int) -> int:
    """Send with our pusher."""
    certificate = PassCertificate(
        pass_type_identifier=PASS_TYPE_IDENTIFIER,
        team_identifier=TEAM_IDENTIFIER,
        leaf=keys.leaf,
        chain=(keys.wwdr,),
        key=keys.key,
    )
    pusher = Pusher(
        CertificateCredential(certificate),
        settings=Apns(host="localhost", port=port, connections=CONNECTIONS),
        authorities=keys.root_pem,
    )
    answered = 0
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(count, first + _AT_ONCE))
        pushes = [Push(token=f"{number:064x}", topic=TOPIC, apns_id=str(uuid.uuid4())) for number in numbers]
        fates = await pusher.send(pushes)
        answered += sum(fate.answer is not None and fate.answer.status == 200 for fate in fates)
    await pusher.close()
    return answered


async def theirs(keys: AppleKeys, port: int, count: int) -> int:
    """Send with aioapns, as its README does: one `send_notification` per push, many at once."""
    # After a GOAWAY it writes to what is closed, and says so for each push.
    for name in ("aioapns", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    APNsProductionClientProtocol.APNS_SERVER, APNsProductionClientProtocol.APNS_PORT = "localhost", port
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "certificate.pem"
        file.write_bytes(keys.key_pem() + keys.leaf_pem + keys.wwdr_pem)
        context = ssl.create_default_context(cadata=keys.root_pem.decode())
        context.set_alpn_protocols(["h2"])
        client = APNs(client_cert=str(file), topic=TOPIC, ssl_context=context, max_connections=CONNECTIONS)
    answered = 0
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(count, first + _AT_ONCE))
        requests = [NotificationRequest(device_token=f"{number:064x}", message={}) for number in numbers]
        # A push whose answer never comes would wait for ever.
        sends = [asyncio.wait_for(client.send_notification(request), _PATIENCE) for request in requests]
        found = await asyncio.gather(*sends, return_exceptions=True)
        answered += sum(getattr(result, "status", "") == "200" for result in found)
    client.pool.close()
    return answered


async def serve(keys: AppleKeys, pipe: Connection) -> None:
    """Be the double until told to end, then say what arrived."""
    double = ApnsDouble(keys, clock=ManualClock())
    double.rules.goaway_every = GOAWAY_EVERY
    async with listening(double):
        pipe.send(double.port)
        await asyncio.to_thread(pipe.recv)
        pipe.send({"accepted": len(double.pushed), "doubled": len(double.doubled)})


async def push(send: Send, keys: AppleKeys, port: int, count: int, pipe: Connection) -> None:
    """Push and say how long it took, in seconds of the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    answered = await send(keys, port, count)
    pipe.send(
        {
            "answered": answered,
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - processor,
        }
    )


def contest(send: Send, count: int) -> dict[str, Any]:
    """Return the figures of one client, with a double of its own."""
    keys = apple_keys()
    served, pushed = (_FORK.Pipe() for _ in range(2))
    double = _FORK.Process(target=_run, args=(serve, keys, served[1]))
    double.start()
    client = _FORK.Process(target=_run, args=(push, send, keys, served[0].recv(), count, pushed[1]))
    client.start()
    figures: dict[str, Any] = pushed[0].recv()
    client.join()
    served[0].send("end")
    figures |= served[0].recv()
    double.join()
    return figures | {
        "lost": count - figures["accepted"],
        "per_second": count / figures["seconds"],
        "per_core": count / figures["cpu_seconds"],
    }


def _run(main: Callable[..., Awaitable[None]], *args: Any) -> None:
    asyncio.run(main(*args))  # type: ignore[arg-type]


def main(count: int) -> None:
    """Let both clients push and print their figures."""
    print(json.dumps({"pushes": count, "ours": contest(ours, count), "aioapns": contest(theirs, count)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Apple and Google for a daemon in another process: doubles in a thread of their own, and phones that hold passes.

The daemon finds them by its settings alone (`environment`), over real TLS on this machine.
"""

import asyncio
import secrets
import ssl
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from flatfile_sync.domain.clock import utc_now
from tests.apns_double import ApnsDouble
from tests.apns_double import listening as apns_listening
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.device_double import Device
from tests.doubles import ManualClock
from tests.google_double.callbacks import Sender
from tests.ports import free_port
from tests.tls import server_pem

PATIENCE = 60.0
TOKEN_KEY = "FLATFILE_SYNC_TEST_TOKEN_KEY"
ACCOUNT = "FLATFILE_SYNC_TEST_ACCOUNT"
KEYS = "/keys"


class World:
    """The wallets' side of one daemon. `google` is None where its double has no schema to be strict with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.keys = apple_keys()
        self.apns = ApnsDouble(self.keys, clock=ManualClock(utc_now()))
        self._sender = Sender(clock=utc_now)
        self.google = _google(self._sender)
        self.port = free_port()
        self.devices: list[Device] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self._listen())
        return self

    def __exit__(self, *error: object) -> None:
        self.call(self._open.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Where the daemon's HTTP door is to be found."""
        return f"https://localhost:{self.port}"

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something beside the doubles and return what it returned."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def environment(self) -> dict[str, str]:
        """Return what a daemon is told, as environment variables; keys are made anew for each world."""
        told = {
            TOKEN_KEY: secrets.token_urlsafe(36),
            "FLATFILE_SYNC_WEB__ENABLED": "true",
            "FLATFILE_SYNC_WEB__PORT": str(self.port),
            "FLATFILE_SYNC_WEB__PUBLIC_URL": self.url,
            "FLATFILE_SYNC_WEB__CERTIFICATE_FILE": self._file("server.pem", server_pem()),
            "FLATFILE_SYNC_APPLE__CERTIFICATE_FILE": self._file("pass.p12", self.keys.pkcs12(chain=True)),
            "FLATFILE_SYNC_APPLE__TEAM_IDENTIFIER": TEAM_IDENTIFIER,
            "FLATFILE_SYNC_APPLE__PASS_TYPE_IDENTIFIER": PASS_TYPE_IDENTIFIER,
            "FLATFILE_SYNC_APPLE__WEB_SERVICE_URL": self.url,
            "FLATFILE_SYNC_APPLE__TOKEN_KEYS": f'["test={TOKEN_KEY}"]',
            "FLATFILE_SYNC_APPLE__APNS_HOST": "localhost",
            "FLATFILE_SYNC_APPLE__APNS_PORT": str(self.apns.port),
            "FLATFILE_SYNC_APPLE__APNS_AUTHORITIES_FILE": self._file("apns.pem", self.apns.authorities),
        }
        if self.google is not None:
            told |= {
                ACCOUNT: self.google.account_file.decode(),
                "FLATFILE_SYNC_GOOGLE__SERVICE_ACCOUNT_ENV": ACCOUNT,
                "FLATFILE_SYNC_GOOGLE__ISSUER_ID": self.google.wallet.issuer,
                "FLATFILE_SYNC_GOOGLE__API_URL": self.google.url,
                "FLATFILE_SYNC_GOOGLE__CALLBACK_KEYS_URL": f"{self.google.url}{KEYS}",
                "FLATFILE_SYNC_GOOGLE__AUTHORITIES_FILE": self._file("google.pem", self.google.authorities),
            }
        return told

    def trust(self) -> ssl.SSLContext:
        """Return TLS settings of somebody who trusts the daemon's certificate."""
        return ssl.create_default_context(cadata=self.keys.root_pem.decode())

    def client(self, **settings: Any) -> httpx.Client:
        """Return a browser, more or less, at the daemon's HTTP door."""
        return httpx.Client(base_url=self.url, verify=self.trust(), trust_env=False, **settings)

    def device(self, **settings: Any) -> Device:
        """Return a phone without passes."""
        found = Device(trust=self.trust(), root=self.keys.root_pem, sleep=asyncio.sleep, **settings)
        self.devices.append(found)
        return found

    def push(self) -> int:
        """Hand every stored push to its device, which asks what changed; return how many woke."""
        woken = [device for device in self.devices if self.apns.deliver(device.push_token, PASS_TYPE_IDENTIFIER)]
        for device in woken:
            self.call(device.wake())
        return len(woken)

    def call_back(self, object_id: str, event: str, *, replays: int = 1) -> bool:
        """Let Google say that an object was saved or deleted; return whether the daemon took it."""
        class_id = self.google.wallet.objects()[object_id]["classId"]
        return bool(self.call(self._sender.send(self._deliver, object_id, class_id, event, replays=replays)))

    async def _deliver(self, body: bytes) -> int:
        async with httpx.AsyncClient(verify=self.trust(), trust_env=False) as client:
            return (await client.post(f"{self.url}/google/callback", content=body)).status_code

    async def _listen(self) -> None:
        await self._open.enter_async_context(apns_listening(self.apns))
        if self.google is not None:
            from tests.google_double.server import listening  # noqa: PLC0415 - see `_google`

            await self._open.enter_async_context(listening(self.google))

    def _file(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        return str(path)


def _google(sender: Sender) -> Any:
    """Return Google's double; it needs the discovery document of google-api-python-client, which a demo may lack."""
    try:
        from tests.google_double.answers import Answer  # noqa: PLC0415 - not there without that package
        from tests.google_double.server import GoogleDouble  # noqa: PLC0415 - as said
    except ModuleNotFoundError:
        return None
    found = GoogleDouble(clock=utc_now)
    found.served[KEYS] = Answer(200, sender.keys())
    return found

"""An iPhone, as a web service sees it: strict, over real TLS, and it complains at `/v1/log` in Wallet's own words.

Nothing of the product is imported here. What a server does wrong is in `faults`, what the device posted in `posted`,
what the holder saw on the lock screen in `shown`. `sleep` is called for the waits between tries.
"""

import io
import json
import plistlib
import re
import secrets
import ssl
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from tests.apple_oracle import complaints

PKPASS = "application/vnd.apple.pkpass"
TRIES = 5
GROUPS = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields", "backFields")
STYLES = ("boardingPass", "coupon", "eventTicket", "generic", "storeCard")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"\s*=\s*"((?:[^"\\]|\\.)*)"\s*;')
_SIGNED = {"signature"}


class GaveUp(Exception):  # noqa: N818 - the device says so, and nothing more comes of it
    """A request failed as often as a device tries."""


@dataclass(slots=True)
class Held:
    """A pass in the wallet."""

    files: dict[str, bytes]
    told: dict[str, Any]
    modified: str = ""

    @property
    def serial(self) -> str:
        return self.told["serialNumber"]

    @property
    def identifier(self) -> str:
        return self.told["passTypeIdentifier"]

    @property
    def content(self) -> dict[str, bytes]:
        return {name: data for name, data in self.files.items() if name not in _SIGNED}

    def strings(self, language: str) -> dict[str, str]:
        data = self.files.get(f"{language}.lproj/pass.strings", b"")
        text = data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8")
        if text.startswith("<?xml"):
            return plistlib.loads(text.encode())
        return {_plain(key): _plain(value) for key, value in _STRING.findall(text)}

    def fields(self) -> dict[str, dict[str, Any]]:
        style = next(name for name in STYLES if name in self.told)
        return {entry["key"]: entry for group in GROUPS for entry in self.told[style].get(group, [])}


@dataclass(slots=True, kw_only=True)
class Device:
    """One phone. `trust` are the TLS settings of the system, `root` Apple's root certificate."""

    trust: ssl.SSLContext
    root: bytes
    sleep: Callable[[float], Awaitable[None]]
    language: str = "en"
    library: str = field(default_factory=lambda: secrets.token_hex(16))
    push_token: str = field(default_factory=lambda: secrets.token_hex(32))
    wallet: dict[str, Held] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def add(self, pkpass: bytes) -> None:
        """Put a pass into the wallet, as somebody does who taps on Add, and register for its updates."""
        held = self._open(pkpass)
        if held is None:
            return
        self.wallet[held.serial] = held
        await self._register(held, expected=201)

    async def rotate_token(self) -> None:
        """Get another push token, and tell it for every pass."""
        self.push_token = secrets.token_hex(32)
        for held in self.wallet.values():
            await self._register(held, expected=200)

    async def rotate_library(self) -> None:
        """Become another device to every service, as after a restore."""
        self.library = secrets.token_hex(16)
        self.tags.clear()
        for held in self.wallet.values():
            await self._register(held, expected=201)

    async def remove(self, serial: str) -> None:
        """Take a pass out of the wallet."""
        held = self.wallet.pop(serial)
        answer = await self._ask("DELETE", held, self._registration(held), task="Unregister")
        if answer is not None and answer.status_code != 200:
            self.faults.append(f"DELETE was answered with {answer.status_code}")

    async def wake(self) -> None:
        """Do what a push, a reboot or a day that passed makes a device do: ask for changes, fetch them."""
        for identifier in {held.identifier for held in self.wallet.values()}:
            await self._poll(identifier)

    async def head(self, serial: str) -> httpx.Response:
        """Ask about a pass without fetching it."""
        held = self.wallet[serial]
        answer = await self._send("HEAD", held, self._latest(held), headers=self._shown(held))
        if answer.content:
            self.faults.append("HEAD was answered with a body")
        return answer

    async def _poll(self, identifier: str) -> None:
        any_held = next(held for held in self.wallet.values() if held.identifier == identifier)
        path = f"/v1/devices/{self.library}/registrations/{quote(identifier)}"
        if identifier in self.tags:
            path += f"?passesUpdatedSince={quote(self.tags[identifier], safe='')}"
        answer = await self._ask("GET", any_held, path, task="Get serial #s", authorized=False)
        if answer is None or answer.status_code == 204:
            if answer is not None and answer.content:
                self.faults.append("204 came with a body")
            return
        if answer.status_code != 200 or not answer.headers.get("content-type", "").startswith("application/json"):
            self.faults.append(f"the list came as {answer.status_code} {answer.headers.get('content-type')}")
            return
        told = answer.json()
        if not isinstance(told.get("lastUpdated"), str):
            # A device drops such an answer without a word and never fetches.
            self.faults.append(f"lastUpdated is {told.get('lastUpdated')!r}, no string")
            return
        for serial in told["serialNumbers"]:
            if serial in self.wallet:
                await self._fetch(self.wallet[serial])
            else:
                await self._post(any_held, f"Update requested for unregistered serial number {serial}")
        self.tags[identifier] = told["lastUpdated"]

    async def _fetch(self, held: Held) -> None:
        headers = self._shown(held)
        if held.modified:
            headers["If-Modified-Since"] = held.modified
        answer = await self._ask("GET", held, self._latest(held), task="Get pass", headers=headers)
        if answer is None:
            return
        if answer.status_code == 304:
            text = f"Server requested update to serial number '{held.serial}', but the pass was unchanged."
            await self._post(held, text)
            return
        if answer.status_code != 200 or answer.headers.get("content-type") != PKPASS:
            self.faults.append(f"the pass came as {answer.status_code} {answer.headers.get('content-type')}")
            return
        fresh = self._open(answer.content)
        if fresh is None:
            return
        fresh.modified = answer.headers.get("last-modified", "")
        self._check_date(held.modified, fresh.modified)
        if fresh.content == held.content and held.modified:
            await self._post(
                held,
                f"Server ignored the 'if-modified-since' header ({held.modified}) and returned the full unchanged pass "
                f"data for serial number '{held.serial}'.",
            )
        self.take(held, fresh)

    def take(self, held: Held, fresh: Held) -> None:
        """Put a fetched pass in the place of the one held, and tell the holder."""
        for key in ("serialNumber", "authenticationToken", "passTypeIdentifier"):
            if fresh.told.get(key) != held.told.get(key):
                self.faults.append(f"{key} of {held.serial} changed in an update")
                return
        self._show(held, fresh)
        self.wallet[held.serial] = fresh

    def _show(self, held: Held, fresh: Held) -> None:
        """Tell the holder: one changed field by its own text, several by one that says nothing."""
        before, after = held.fields(), fresh.fields()
        strings = fresh.strings(self.language)
        texts = []
        for key, entry in after.items():
            if key in before and before[key]["value"] != entry["value"] and "changeMessage" in entry:
                message = strings.get(entry["changeMessage"], entry["changeMessage"])
                value = strings.get(str(entry["value"]), str(entry["value"]))
                texts.append(message.replace("%@", value) if "%@" in message else "Pass changed")
        self.shown += texts if len(texts) < 2 else [f"{fresh.told['organizationName']}: Pass changed"]

    def _check_date(self, before: str, after: str) -> None:
        if not after:
            self.faults.append("the pass came without Last-Modified")
        elif before and parsedate_to_datetime(after) < parsedate_to_datetime(before):
            self.faults.append(f"Last-Modified went back from {before} to {after}")

    async def _register(self, held: Held, *, expected: int) -> None:
        body = {"pushToken": self.push_token}
        answer = await self._ask("POST", held, self._registration(held), task="Register", json=body)
        if answer is not None and answer.status_code != expected:
            self.faults.append(f"the registration was answered with {answer.status_code}, expected {expected}")

    def _open(self, pkpass: bytes) -> Held | None:
        found = complaints(pkpass, root=self.root)
        if found:
            self.faults += found
            return None
        with zipfile.ZipFile(io.BytesIO(pkpass)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        told = json.loads(files["pass.json"])
        if not told["webServiceURL"].startswith("https://") or len(told["authenticationToken"]) < 16:
            self.faults.append("the pass has no web service of which Wallet would ask anything")
            return None
        return Held(files, told)

    async def _ask(
        self, method: str, held: Held, path: str, *, task: str, authorized: bool = True, **more: Any
    ) -> httpx.Response | None:
        """Send a request until it is answered, with growing waits, then give up; None if nothing came of it."""
        if authorized:
            more["headers"] = {**self._shown(held), **more.get("headers", {})}
        try:
            answer = await self._try(method, held, path, **more)
        except GaveUp as failure:
            await self._complain(held, task, str(failure))
            return None
        if answer.status_code == 401:
            await self._complain(held, task, "Authentication failure")
            return None
        return answer

    async def _try(self, method: str, held: Held, path: str, **more: Any) -> httpx.Response:
        why = ""
        for number in range(TRIES):
            if number:
                await self.sleep(2.0**number)
            try:
                answer = await self._send(method, held, path, **more)
            except httpx.TransportError as error:
                why = type(error).__name__
                continue
            if answer.status_code < 500 and answer.status_code != 429:
                return answer
            why = f"Unexpected response code {answer.status_code}"
        raise GaveUp(why)

    async def _send(self, method: str, held: Held, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(verify=self.trust, timeout=20) as client:
            answer = await client.request(method, held.told["webServiceURL"].rstrip("/") + path, **more)
        self.statuses.append(answer.status_code)
        return answer

    async def _complain(self, held: Held, task: str, why: str) -> None:
        await self._post(
            held,
            f"{task} task (for device {self.library}, pass type {held.identifier}, serial number {held.serial}; with "
            f"web service url {held.told['webServiceURL']}) encountered error: {why}",
        )

    async def _post(self, held: Held, line: str) -> None:
        self.posted.append(line)
        try:
            answer = await self._send("POST", held, "/v1/log", json={"logs": [line]})
        except httpx.TransportError:
            return
        if answer.status_code != 200:
            self.faults.append(f"the log was answered with {answer.status_code}")

    def _shown(self, held: Held) -> dict[str, str]:
        return {"Authorization": f"ApplePass {held.told['authenticationToken']}"}

    def _latest(self, held: Held) -> str:
        return f"/v1/passes/{quote(held.identifier)}/{quote(held.serial)}"

    def _registration(self, held: Held) -> str:
        return f"/v1/devices/{self.library}/registrations/{quote(held.identifier)}/{quote(held.serial)}"


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text)

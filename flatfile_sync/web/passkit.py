"""The web service that Apple's devices ask (Apple: Adding a Web Service to Update Passes).

A device registers for a pass, asks which of its passes changed since a tag, and fetches those. Whoever does not show
the token of a pass is answered alike whether there is such a pass or not.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from flatfile_sync.domain.states import Platform
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.registering import register, unregister
from flatfile_sync.store import memories, passes, registrations
from flatfile_sync.store.database import Connection
from flatfile_sync.store.passes import PassRow
from flatfile_sync.web.device_log import DeviceLog
from flatfile_sync.web.rendered import Rendered

PKPASS: Final = "application/vnd.apple.pkpass"
MOST_DEVICES: Final = 500
"""Devices of one pass, and passes of one device: whoever holds a pass can make up devices."""
AT_ONCE: Final = 8
"""Requests that are worked on at a time; the others wait, and with them neither the readers nor the SFTP door."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEME: Final = "ApplePass "

_MOST_DIGITS: Final = 18  # of a tag, which has 64 bits

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
Shown = Annotated[str, Header(alias="Authorization")]


class Registering(BaseModel):
    """The body of a registration: the token under which APNs knows the device, hexadecimal."""

    model_config = ConfigDict(extra="ignore")

    push_token: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{2,200}$")] = Field(alias="pushToken")


class Logging(BaseModel):
    """The body of a device's log."""

    model_config = ConfigDict(extra="ignore")

    logs: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassKit:
    """The service, and what it leans on.

    `identifier` is the pass type identifier of our certificate; `key_of` returns the id of the key that a pass's token
    is made with, from what Apple's platform remembers of it; `fits` whether a token (text, key id, serial) is right;
    `fetched` is told the number and revision of each pass that a device has.
    """

    kit: Kit
    identifier: str
    key_of: Callable[[Mapping[str, Any]], str]
    fits: Callable[[str, str, str], bool]
    rendered: Rendered
    fetched: Callable[[int, int], None]
    log: DeviceLog
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def routes(self) -> APIRouter:
        """Return the routes; personalization, which would sign what a stranger sends, is none of them."""
        found = APIRouter(prefix="/v1")
        registration = "/devices/{device}/registrations/{identifier}/{serial}"
        found.add_api_route(registration, self.register, methods=["POST"])
        found.add_api_route(registration, self.unregister, methods=["DELETE"])
        found.add_api_route("/devices/{device}/registrations/{identifier}", self.changed, methods=["GET"])
        found.add_api_route("/passes/{identifier}/{serial}", self.latest, methods=["GET", "HEAD"])
        found.add_api_route("/log", self.write, methods=["POST"])
        return found

    async def register(
        self, device: Name, identifier: Name, serial: Name, body: Registering, authorization: Shown = ""
    ) -> Response:
        """Note a device, or its new push token, which counts even though the answer is 200."""
        row = await self._held(identifier, serial, authorization)

        new = await register(row.no, device, body.push_token, most=MOST_DEVICES, kit=self.kit)
        if new is None:
            raise HTTPException(429)
        return Response(status_code=201 if new else 200)

    async def unregister(self, device: Name, identifier: Name, serial: Name, authorization: Shown = "") -> Response:
        """Forget a device."""
        async with self.turns:
            row = await self._held(identifier, serial, authorization)
            await unregister(row.no, device, kit=self.kit)
        return Response(status_code=200)

    async def changed(
        self, device: Name, identifier: Name, since: Annotated[str, Query(alias="passesUpdatedSince")] = ""
    ) -> Response:
        """Say which passes of a device changed; its identifier, which nobody else knows, is all it shows."""
        if identifier != self.identifier:
            return Response(status_code=204)
        # What is no tag of ours is none: then the device is told of all its passes.
        tag = int(since) if since.isascii() and since.isdigit() and len(since) <= _MOST_DIGITS else None
        serials, last = await self.kit.store.read(
            lambda conn: registrations.changed_since(conn, device=device, tag=tag)
        )
        if not serials:
            return Response(status_code=204)
        # A number in the place of the string, and the device never fetches.
        return JSONResponse({"serialNumbers": serials, "lastUpdated": str(last)})

    async def latest(
        self,
        request: Request,
        identifier: Name,
        serial: Name,
        authorization: Shown = "",
        since: Annotated[str, Header(alias="If-Modified-Since")] = "",
    ) -> Response:
        """Return the pass as it is now, or say that the device has it already."""
        async with self.turns:
            row = await self._held(identifier, serial, authorization)
            answer = await self._answer(row, since)
        if request.method == "GET":
            self.fetched(row.no, row.revision)
        return answer

    async def _answer(self, row: PassRow, since: str) -> Response:
        modified = _EPOCH + timedelta(microseconds=row.modified_at)
        headers = {"Last-Modified": format_datetime(modified, usegmt=True), "Cache-Control": "private, no-cache"}
        known = _moment(since)
        if known is not None and modified <= known:
            return Response(status_code=304, headers=headers)
        return Response(await self.rendered.get(row), headers=headers, media_type=PKPASS)

    async def write(self, body: Logging) -> Response:
        """Write down what a device complains about."""
        self.log.write(body.logs)
        return Response(status_code=200)

    async def _held(self, identifier: str, serial: str, authorization: str) -> PassRow:
        """Return the pass whose token was shown."""
        row, memory = await self.kit.store.read(lambda conn: _look(conn, serial))
        shown = authorization.removeprefix(_SCHEME) if authorization.startswith(_SCHEME) else ""
        # Looked at for a pass that is not there too: how long an answer takes says nothing either.
        fits = self.fits(shown, self.key_of(memory), serial)
        if row is None or not fits or identifier != self.identifier:
            raise HTTPException(401, headers={"WWW-Authenticate": _SCHEME.strip()})
        return row


def _look(conn: Connection, serial: str) -> tuple[PassRow | None, Mapping[str, Any]]:
    row = passes.by_id(conn, serial)
    if row is None:
        return None, {}
    return row, memories.of_passes(conn, Platform.APPLE.value, [row.no]).get(row.no, {})


def _moment(text: str) -> datetime | None:
    """Return the moment of an HTTP date (RFC 9110, 5.6.7), None of anything else."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None

"""Add to wallet: what a link leads to."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Header, Path
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from flatfile_sync.domain.failures import FlatfileSyncError, trail
from flatfile_sync.domain.links import MOST_PASSES
from flatfile_sync.domain.states import PassStatus
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.linking import Linker
from flatfile_sync.store import links, passes
from flatfile_sync.store.database import Connection
from flatfile_sync.store.passes import PassRow
from flatfile_sync.web.answers import status_of
from flatfile_sync.web.languages import chosen
from flatfile_sync.web.page import Offer, Page, add_page, notice_page, visitor

PKPASS: Final = "application/vnd.apple.pkpass"
PKPASSES: Final = "application/vnd.apple.pkpasses"
ONE, SEVERAL = "pass.pkpass", "passes.pkpasses"

Accept = Annotated[str, Header(alias="Accept-Language")]
Place = Annotated[int, Path(ge=0, lt=MOST_PASSES)]
Agent = Annotated[str, Header(alias="User-Agent")]

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddToWallet:
    """The page of a link and what its buttons lead to.

    `offer` tells what the page says of a pass in a language; `apple` returns the file that adds passes to Apple Wallet,
    `google` the address that adds one to Google Wallet; either raises errors of ours. `badges` are official images to
    show in the place of plain buttons: name (`apple`, `google.fr`) -> (media type, bytes).
    """

    kit: Kit
    linker: Linker
    offer: Callable[[PassRow, str], Awaitable[Offer]]
    apple: Callable[[Sequence[PassRow]], Awaitable[bytes]] | None = None
    google: Callable[[PassRow], Awaitable[str]] | None = None
    badges: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    def routes(self) -> APIRouter:
        """Return the routes."""
        found = APIRouter()
        reading = ["GET", "HEAD"]
        found.add_api_route("/p/badges/{name}", self.badge, methods=reading)
        found.add_api_route("/p/{token}", self.page, methods=reading)
        found.add_api_route(f"/p/{{token}}/{ONE}", self.file, methods=reading)
        found.add_api_route(f"/p/{{token}}/{SEVERAL}", self.file, methods=reading)
        found.add_api_route("/p/{token}/google/{place}", self.save, methods=["GET"])
        return found

    async def page(self, token: str, accept_language: Accept = "", user_agent: Agent = "") -> Response:
        """Show the button of the visitor's phone; links that ended, were called back or never were look alike."""
        language = chosen(accept_language)
        rows = await self._rows(token)
        if not rows:
            return notice_page(language, "gone", status=404)
        offers = [await self.offer(row, language) for row in rows]
        found = Page(
            language=language,
            offers=offers,
            visitor=visitor(user_agent),
            apple_href=f"{token}/{ONE if len(rows) == 1 else SEVERAL}",
            google_hrefs=[f"{token}/google/{place}" for place in range(len(rows))],
            url=f"{self.linker.public_url}/p/{token}" if self.linker.public_url else "",
            badges=self._badges(language),
        )
        return add_page(found)

    async def file(self, token: str, accept_language: Accept = "") -> Response:
        """Hand out the passes for Apple Wallet."""
        rows, make = await self._rows(token), self.apple
        if not rows or make is None:
            return notice_page(chosen(accept_language), "gone", status=404)
        try:
            data = await make(rows)
        except FlatfileSyncError as error:
            return _busy(error, accept_language)
        name, kind = (ONE, PKPASS) if len(rows) == 1 else (SEVERAL, PKPASSES)
        return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async def save(self, token: str, place: Place, accept_language: Accept = "") -> Response:
        """Lead on to Google Wallet, which takes one pass at a time."""
        rows, make = await self._rows(token), self.google
        if place >= len(rows) or make is None:
            return notice_page(chosen(accept_language), "gone", status=404)
        try:
            return RedirectResponse(await make(rows[place]), 303)
        except FlatfileSyncError as error:
            return _busy(error, accept_language)

    async def badge(self, name: str) -> Response:
        """Return an official badge that the operator has put in."""
        kind, data = self.badges.get(name, ("", b""))
        if not data:
            raise HTTPException(404)
        # What styles itself inside an SVG may; it still fetches nothing.
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        headers = {"Cache-Control": "public, max-age=3600", "Content-Security-Policy": policy}
        return Response(data, media_type=kind, headers=headers)

    async def _rows(self, token: str) -> list[PassRow]:
        link_id = self.linker.key.link_id(token)
        if link_id is None:
            return []

        def look(conn: Connection) -> list[PassRow]:
            numbers = links.passes_of(conn, link_id, now=self.kit.clock())
            rows = {row.no: row for row in passes.load_many(conn, numbers)}
            return [rows[number] for number in numbers if number in rows]

        return [row for row in await self.kit.store.read(look) if row.status == PassStatus.ACTIVE]

    def _badges(self, language: str) -> dict[str, str]:
        names = {wallet: (f"{wallet}.{language}", wallet) for wallet in ("apple", "google")}
        return {
            wallet: f"badges/{name}"
            for wallet, wanted in names.items()
            if (name := next((one for one in wanted if one in self.badges), None)) is not None
        }


def _busy(error: FlatfileSyncError, accept_language: str) -> Response:
    _log.warning("pass_not_handed_out", trail=trail(error))
    status = status_of(error)
    return notice_page(chosen(accept_language), "busy", status=status)

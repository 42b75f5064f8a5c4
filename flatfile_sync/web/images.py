"""Images by the sha256 of their bytes: what stands under such an address never changes."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Header
from starlette.exceptions import HTTPException
from starlette.responses import Response

_NAME: Final = re.compile(r"([0-9a-f]{64})(?:\.png)?")
_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Images:
    """The images of all projects; `find` returns the bytes of one by its sha256, and may block."""

    find: Callable[[str], bytes | None]

    def routes(self) -> APIRouter:
        """Return the route."""
        found = APIRouter()
        found.add_api_route("/images/{name}", self.image, methods=["GET", "HEAD"])
        return found

    async def image(self, name: str, if_none_match: Annotated[str, Header(alias="If-None-Match")] = "") -> Response:
        """Return an image; Google fetches it, and keeps it as long as it likes."""
        matched = _NAME.fullmatch(name)
        data = await asyncio.to_thread(self.find, matched[1]) if matched else None
        if matched is None or data is None:
            raise HTTPException(404)
        headers = {"Cache-Control": _FOREVER, "ETag": f'"{matched[1]}"'}
        if matched[1] in if_none_match:
            return Response(status_code=304, headers=headers)
        # Shown on pages of others too: it is what everybody who has the pass sees.
        return Response(
            data, media_type="image/png", headers=headers | {"Cross-Origin-Resource-Policy": "cross-origin"}
        )

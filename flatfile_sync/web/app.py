"""The application behind the door: its routes, in one place."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse, Response

from flatfile_sync.web import answers

# Google fetches images and asks before it calls back; links are between us and the holder of a pass.
_ROBOTS = "User-agent: *\nDisallow: /p/\nDisallow: /v1/\nAllow: /\n"


def application(routers: Iterable[APIRouter], *, prefixes: Sequence[str] = ("",)) -> FastAPI:
    """Return the application; each route is there below each prefix: a proxy may cut a path off, or leave it on."""
    # Nobody is told what could be asked, nor redirected to a path that differs by a slash.
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, strict_content_type=False)
    answers.install(app)
    for router in routers:
        for prefix in dict.fromkeys(prefixes):
            app.include_router(router, prefix=prefix)

    @app.api_route("/robots.txt", methods=["GET", "HEAD"])
    async def robots() -> Response:
        return PlainTextResponse(_ROBOTS, headers={"Cache-Control": "public, max-age=86400"})

    return app


def prefix_of(url: str) -> str:
    """Return the path of a URL as a prefix of routes."""
    return urlsplit(url).path.rstrip("/")

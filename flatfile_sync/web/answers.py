"""The one table from our errors to HTTP."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from flatfile_sync.domain.failures import (
    ConfigurationError,
    DamagedFileError,
    FlatfileSyncError,
    LostTurnError,
    PermanentFailure,
    Refused,
    StaleEpochError,
    TemporaryFailure,
    trail,
)

_log = structlog.get_logger()

STATUSES: Final[Mapping[type[FlatfileSyncError], int]] = {
    Refused: 403,  # asked for by somebody who may not, or never to be had
    LostTurnError: 409,  # somebody else was faster: ask again
    PermanentFailure: 422,  # understood, and wrong for good
    DamagedFileError: 500,
    ConfigurationError: 500,
    TemporaryFailure: 503,
    StaleEpochError: 503,  # a newer daemon answers in a moment
}
_WORDS: Final = {
    400: "The request is not as it should be.",
    401: "That is not allowed.",
    403: "That is not allowed.",
    404: "There is nothing here.",
    405: "That cannot be done here.",
    409: "Somebody else was faster; ask again.",
    413: "That is too much.",
    422: "That is understood, and cannot be done.",
    431: "That is too much.",
    429: "Too many requests; ask again later.",
    503: "Not now; ask again later.",
}
_RETRY: Final = timedelta(seconds=30)


def status_of(error: BaseException) -> int:
    """Return the status that an error is answered with; 500 for what we did not see coming."""
    return next((status for kind, status in STATUSES.items() if isinstance(error, kind)), 500)


def told(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that says nothing but its status: no text of an error leaves this door."""
    return JSONResponse({"error": _WORDS.get(status, "Internal error.")}, status, dict(headers or {}))


def answer(error: BaseException) -> Response:
    """Return the answer to an error; whatever is our fault is logged, without its text."""
    status = status_of(error)
    if status == 500:  # noqa: PLR2004 - the status of our own faults
        _log.error("request_failed", trail=trail(error))
    wait = getattr(error, "retry_after", None) or _RETRY
    return told(status, {"Retry-After": str(math.ceil(wait.total_seconds()))} if status == 503 else None)  # noqa: PLR2004


def install(app: FastAPI) -> None:
    """Answer every error of an application by the table."""

    async def known(_: Request, error: Exception) -> Response:
        return answer(error)

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
        return told(error.status_code, error.headers)

    async def malformed(_: Request, error: Exception) -> Response:  # noqa: ARG001 - it quotes what was sent
        return told(400)

    app.add_exception_handler(FlatfileSyncError, known)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, malformed)

"""Google's callbacks: a holder saved a pass to Google Wallet, or deleted it there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from flatfile_sync.domain.tally import Figure
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.saves import note_save


class Saved(NamedTuple):
    """A callback that Google really sent: `event` is `save` or `del`, `pass_id` None for an object that is not ours."""

    pass_id: str | None
    event: str
    nonce: str


Verify = Callable[[bytes], Awaitable[Saved | None]]
"""Body -> what Google says, None if it did not sign it. Raises `TemporaryFailure` while that cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Takes callbacks; each counts once, however often Google repeats it."""

    kit: Kit
    verify: Verify

    def routes(self) -> APIRouter:
        """Return the route."""
        found = APIRouter()
        found.add_api_route("/google/callback", self.take, methods=["POST"])
        return found

    async def take(self, request: Request) -> Response:
        """Count a save or a deletion; whatever Google signed is answered 200, or it would come again for days."""
        told = await self.verify(await request.body())
        if told is None:
            self.kit.tally.add(Figure.CALLBACKS, "refused")
            raise HTTPException(400)
        new = told.pass_id is not None and await note_save(told.pass_id, told.event, told.nonce, kit=self.kit)
        self.kit.tally.add(Figure.CALLBACKS, told.event if new else "ignored")
        return Response(status_code=200)

"""The client of the Google Wallet API: one call, or many as a batch, at the pace that all workers share."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx
import orjson

from flatfile_sync.domain.failures import PermanentFailure, TemporaryFailure
from flatfile_sync.domain.pacing import Pace
from flatfile_sync.domain.tally import Figure, Tally
from flatfile_sync.wallets.google import batch
from flatfile_sync.wallets.google.calls import NO_ANSWER, NOT_SENT, Answer, Call, answer_of
from flatfile_sync.wallets.google.tokens import Tokens

API: Final = "https://walletobjects.googleapis.com"
ROOT: Final = "/walletobjects/v1/"
PATIENCE: Final = 60.0
_CONNECTING: Final = 10.0
# Nothing was sent yet when these are raised.
_BEFORE: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(slots=True)
class Counts:
    """What happened since the start, for metrics and tests; each part of a batch is one call."""

    calls: int = 0
    requests: int = 0
    unknown: int = 0


def http_client(
    *, context: ssl.SSLContext | None = None, patience: float = PATIENCE, proxy: str = ""
) -> httpx.AsyncClient:
    """Return the connections to Google; `context` is for another authority than the system's.

    Nothing is taken from the environment: what the settings do not say does not happen.
    """
    return httpx.AsyncClient(
        proxy=proxy or None,
        verify=context or ssl.create_default_context(),
        timeout=httpx.Timeout(patience, connect=min(_CONNECTING, patience)),
        trust_env=False,
        follow_redirects=False,
    )


class Client:
    """Sends calls. A call that has no answer comes back as such: only who made it knows what to do."""

    def __init__(
        self, tokens: Tokens, *, http: httpx.AsyncClient, pace: Pace, api: str = API, tally: Tally | None = None
    ) -> None:
        self.counts = Counts()
        self._tally = tally or Tally()
        self._tokens, self._http, self._pace, self._api = tokens, http, pace, api.rstrip("/")

    async def send(self, calls: Sequence[Call]) -> list[Answer]:
        """Return the answer to each call; they are done in any order. At most `batch.LARGEST` at once.

        Calls that are answered with 401 go once more with a new token.
        """
        answers, token = await self._send(calls)
        again = [place for place, answer in enumerate(answers) if answer.status == HTTPStatus.UNAUTHORIZED]
        if again:
            self._tokens.refused(token)
            renewed, _ = await self._send([calls[place] for place in again])
            for place, answer in zip(again, renewed, strict=True):
                answers[place] = answer
        for call, answer in zip(calls, answers, strict=True):
            self._tally.add(Figure.GOOGLE_CALLS, call.method, "" if answer.status is None else str(answer.status))
        return answers

    async def _send(self, calls: Sequence[Call]) -> tuple[list[Answer], str]:
        # n parts of a batch count as n calls.
        await self._pace.take(len(calls))
        try:
            token = await self._tokens.token()
        except TemporaryFailure:
            return [Answer(None, reason=NOT_SENT)] * len(calls), ""
        except PermanentFailure as refused:
            return [Answer(None, reason=str(refused))] * len(calls), ""
        self.counts.calls += len(calls)
        self.counts.requests += 1
        try:
            if len(calls) == 1:
                return [await self._single(calls[0], token)], token
            return await self._batch(calls, token), token
        except _BEFORE:
            return [Answer(None, reason=NOT_SENT)] * len(calls), token
        except httpx.HTTPError:
            self.counts.unknown += len(calls)
            return [Answer(None, reason=NO_ANSWER)] * len(calls), token

    async def _single(self, call: Call, token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(call.body)
        found = await self._http.request(call.method, f"{self._api}{ROOT}{call.path}", headers=headers, content=content)
        return _answer(found)

    async def _batch(self, calls: Sequence[Call], token: str) -> list[Answer]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": batch.CONTENT_TYPE}
        found = await self._http.post(f"{self._api}/batch", headers=headers, content=batch.encode(calls, root=ROOT))
        if found.status_code != HTTPStatus.OK:
            return [_answer(found)] * len(calls)
        answers = batch.decode(found.headers.get("content-type", ""), found.content, len(calls))
        self.counts.unknown += sum(answer.reason == NO_ANSWER for answer in answers)
        return answers


def _answer(found: httpx.Response) -> Answer:
    try:
        body = orjson.loads(found.content)
    except ValueError:
        body = {}
    return answer_of(found.status_code, body)

"""Google Wallet for tests: the API, its batches and the token endpoint over real TLS on this machine.

A client that is not ours (google-api-python-client) talks to it in `tests/unit/wallets/google/test_google_double.py`.
"""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl, urlsplit

import h11

from tests.google_double.account import ServiceAccount, Tokens, service_account
from tests.google_double.answers import Answer, bad_json, refusal, unauthorized
from tests.google_double.saving import Saving
from tests.google_double.tls import authorities, server_context
from tests.google_double.wallet import Wallet

MOST_PARTS = 1000
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Part:
    """A request inside a batch."""

    content_id: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def resource(self) -> str:
        """What it changes, "" if nothing that is there already."""
        found = urlsplit(self.target).path.split("/")
        return "/".join(found[:5]) if self.method != "GET" and len(found) > 4 else ""


class GoogleDouble:
    """Everything of Google that we talk to, on one port: `wallet` keeps, `tokens` grants, `saving` takes links."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        issuer: str = "3388000000012345678",
        account: ServiceAccount | None = None,
    ) -> None:
        self.account = account or service_account()
        self.wallet = Wallet(issuer=issuer, clock=clock)
        self.tokens = Tokens(self.account, clock=clock)
        self.saving = Saving(self.wallet, self.account)
        self.served: dict[str, Answer] = {}
        self.served_count: Counter[str] = Counter()
        self.port = 0
        self.connections = self.batches = self.seen = 0
        self.largest_batch = 0
        self.authorities = authorities()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def token_uri(self) -> str:
        return f"{self.url}/token"

    @property
    def account_file(self) -> bytes:
        return self.account.file(self.token_uri)

    def cut(self) -> None:
        for writer in tuple(self._open):
            writer.transport.abort()

    async def release(self) -> None:
        """End what is still at work."""
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, ssl.SSLError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        while True:
            request, body = await _request(connection, reader)
            if request is None:
                return
            answer = self._answer(request, body)
            if not self.wallet.rules.answering:
                await asyncio.get_running_loop().create_future()
            if answer is None:
                writer.transport.abort()
                return
            writer.write(_bytes(connection, answer))
            await writer.drain()
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()

    def _answer(self, request: h11.Request, body: bytes) -> Answer | None:
        """Return the answer, None if the connection is to be cut instead."""
        method, target = request.method.decode(), request.target.decode()
        headers = {key.decode().lower(): value.decode() for key, value in request.headers}
        parts = urlsplit(target)
        if parts.path == "/token":
            return self.tokens.grant(body)
        if method == "GET" and parts.path in self.served:
            self.served_count[parts.path] += 1
            return self.served[parts.path]
        if parts.path == "/batch":
            return self._batch(headers, body)
        return self._call(method, target, headers, body)

    def _call(
        self, method: str, target: str, headers: dict[str, str], body: bytes, *, batched: bool = False
    ) -> Answer | None:
        if not self.tokens.allows(headers.get("authorization")):
            return unauthorized().answer
        parts = urlsplit(target)
        self.seen += 1
        number = self.seen
        if number in self.wallet.rules.drop:
            return None
        if parts.path in {"/walletobjects/v1/jwt", "/walletobjects/v1/jwt/validate"} and method == "POST":
            return self.saving.answer(parts.path, body)
        answer = self.wallet.answer(method, parts.path, dict(parse_qsl(parts.query)), body, batched=batched)
        if number in self.wallet.rules.lose:
            return None
        return answer

    def _batch(self, headers: dict[str, str], body: bytes) -> Answer | None:
        """Do the parts of a batch in any order and answer them in theirs; each counts as one call."""
        kind = headers.get("content-type", "")
        message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        if message.get_content_type() != "multipart/mixed" or not message.is_multipart():
            return bad_json("Expected multipart/mixed.").answer
        parts = [_part(part) for part in message.iter_parts()]
        self.batches += 1
        self.largest_batch = max(self.largest_batch, len(parts))
        if len(parts) > MOST_PARTS:
            return refusal(400, "badRequest", f"The batch has {len(parts)} parts, at most {MOST_PARTS}.").answer
        if not self.tokens.allows(headers.get("authorization")) and any(
            "authorization" not in p.headers for p in parts
        ):
            return unauthorized().answer
        named = Counter(resource for part in parts if (resource := part.resource))
        if any(count > 1 for count in named.values()):
            self.wallet.complaints.append("two parts of a batch name one resource: their order is not kept")
        answers: dict[str, Answer] = {}
        lost = False
        for part in self.wallet.shuffled(parts):
            answer = self._call(part.method, part.target, headers | part.headers, part.body, batched=True)
            lost |= answer is None
            answers[part.content_id] = answer or Answer(500)
        return None if lost else _multipart([(part.content_id, answers[part.content_id]) for part in parts])


def _part(part: EmailMessage) -> Part:
    """Return what a part of a batch asks for: a whole request, with or without headers of its own."""
    assert part.get_content_type() == "application/http", part.get_content_type()
    payload = part.get_payload(decode=True).replace(b"\r\n", b"\n")
    head, _, body = payload.lstrip(b"\n").partition(b"\n\n")
    line, _, rest = head.partition(b"\n")
    method, target, version = line.decode().split(" ")
    assert version == "HTTP/1.1", version
    headers = {key.lower(): str(value) for key, value in BytesParser(policy=HTTP).parsebytes(rest + b"\n\n").items()}
    return Part(str(part["Content-ID"]).strip(), method, target, headers, body)


def _multipart(answers: list[tuple[str, Answer]]) -> Answer:
    boundary = "batch_of_the_double"
    text = "".join(
        f"--{boundary}\r\nContent-Type: application/http\r\n"
        f"Content-ID: <response-{content_id.removeprefix('<')}\r\n\r\n"
        f"HTTP/1.1 {answer.status} Whatever\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
        f"{json.dumps(answer.body or {}, ensure_ascii=False)}\r\n"
        for content_id, answer in answers
    )
    kind = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
    return Answer(200, None, kind, f"{text}--{boundary}--\r\n".encode())


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request | None, bytes]:
    request, body = None, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(_CHUNK)
            if not data and request is None:
                return None, b""
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return request, bytes(body)
        else:
            return None, b""


def _bytes(connection: h11.Connection, answer: Answer) -> bytes:
    body = answer.raw if answer.raw is not None else json.dumps(answer.body or {}, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=UTF-8"} | answer.headers | {"Content-Length": str(len(body))}
    found = connection.send(h11.Response(status_code=answer.status, headers=list(headers.items()))) or b""
    found += connection.send(h11.Data(data=body)) or b""
    return found + (connection.send(h11.EndOfMessage()) or b"")


@asynccontextmanager
async def listening(double: GoogleDouble) -> AsyncIterator[GoogleDouble]:
    """Let the double listen on a free port of this machine."""
    server = await asyncio.start_server(double.connected, "127.0.0.1", 0, ssl=server_context())
    double.port = server.sockets[0].getsockname()[1]
    double.tokens.audience = double.token_uri
    try:
        yield double
    finally:
        server.close()
        await double.release()
        await server.wait_closed()

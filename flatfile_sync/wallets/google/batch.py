"""Many calls in one request: `multipart/mixed`, each part a whole HTTP request, each answer a whole response.

Source: Google's guides on batching (parts may be done in any order; n parts count as n calls). What is written here
follows what google-api-python-client sends.
"""

import json
from collections.abc import Sequence
from email.message import MIMEPart
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final

import orjson

from flatfile_sync.wallets.google.calls import NO_ANSWER, Answer, Call, answer_of

LARGEST: Final = 1000
"""Parts of a batch at most; a thousand and one are refused as a whole."""
BOUNDARY: Final = "batch_flatfile_sync"
CONTENT_TYPE: Final = f"multipart/mixed; boundary={BOUNDARY}"


def encode(calls: Sequence[Call], *, root: str) -> bytes:
    """Return the body of a batch; `root` is the path in front of each call's."""
    parts = [_part(number, call, root) for number, call in enumerate(calls)]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def decode(content_type: str, body: bytes, count: int) -> list[Answer]:
    """Return the answers in the order of the calls; a call that has none stands as unknown."""
    found: dict[str, Answer] = {}
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    for part in message.iter_parts() if message.is_multipart() else ():
        answer = _answer(part)
        if answer is not None:
            found[str(part["Content-ID"]).strip().strip("<>").removeprefix("response-")] = answer
    return [found.get(_name(number), Answer(None, reason=NO_ANSWER)) for number in range(count)]


def _name(number: int) -> str:
    return f"call-{number}"


def _part(number: int, call: Call, root: str) -> bytes:
    body = b"" if call.body is None else orjson.dumps(call.body)
    inner = f"{call.method} {root}{call.path} HTTP/1.1\r\n"
    if body:
        inner += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    head = f"--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <{_name(number)}>\r\n\r\n"
    return f"{head}{inner}\r\n".encode() + body + b"\r\n"


def _answer(part: MIMEPart) -> Answer | None:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return None
    head, _, body = payload.replace(b"\r\n", b"\n").partition(b"\n\n")
    words = head.split(b"\n", 1)[0].split()
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - HTTP/1.1 200 OK
        return None
    try:
        told = json.loads(body) if body.strip() else {}
    except ValueError:
        told = {}
    return answer_of(int(words[1]), told)

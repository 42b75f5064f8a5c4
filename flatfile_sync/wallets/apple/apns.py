"""One connection to APNs: many pushes on one HTTP/2 connection, and an honest answer about each.

It takes pushes from a `Source` whenever a stream is free, and tells the source what became of each: answered, not
processed (APNs said so: it may go again), or unknown (it may have arrived, and goes again with the same `apns-id`).

This is h2 and not an HTTP client: none of those shows GOAWAY's last stream, the number of streams a connection allows
right now, or lets the first push of a connection go alone. Only a connection's frames tell lost from unprocessed.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol

import orjson
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RemoteSettingsChanged, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from flatfile_sync.wallets.apple.credentials import Credential

PAYLOAD: Final = b"{}"
"""An empty JSON dictionary: the device asks us what changed. An empty body would be `PayloadEmpty`."""

# RFC 9113 section 4.1 and 6.8; a frame is at most 16,384 bytes long unless we allow more, and we do not.
_FRAME_HEAD: Final = 9
_GOAWAY: Final = 7
_LONGEST_FRAME: Final = 16_384
_LAST_STREAM: Final = 2**31 - 1


class PushStyle(StrEnum):
    """How a push names its kind; Apple's pages and the field disagree about passes, so it is a setting."""

    BACKGROUND = "background"  # apns-push-type: background, with which priority 10 is an error: 5
    NONE = "none"  # no apns-push-type, priority 10


_STYLES: Final = {
    PushStyle.BACKGROUND: (("apns-push-type", "background"), ("apns-priority", "5")),
    PushStyle.NONE: (("apns-priority", "10"),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Apns:
    """Where APNs is, and how we push. Times in seconds.

    `expiration`: how long APNs may keep a push for a device that is away; 0 = one try, None = as APNs likes.
    `patience`: how long a connection or an answer is waited for. `tries`: how often a push may be on the wire, and
    how often in a row a connection may fail, before it is given back.
    """

    host: str = "api.push.apple.com"
    port: int = 443
    style: PushStyle = PushStyle.BACKGROUND
    expiration: int | None = None
    connections: int = 2
    streams: int = 500
    patience: float = 30.0
    tries: int = 5


@dataclass(slots=True, kw_only=True)
class Push:
    """One push to one device; `apns_id` (a lowercase UUID) stays the same however often it is sent."""

    token: str
    topic: str
    apns_id: str
    tries: int = 0
    refused_at: int = -1
    renewed: bool = False
    authorization: str | None = None


class Answer(NamedTuple):
    """What APNs said; `timestamp` is since when no device has had the token, with a 410 only."""

    status: int
    reason: str = ""
    timestamp: datetime | None = None


class Source(Protocol):
    """Where a connection takes pushes from, and whom it tells."""

    def take(self) -> Push | None:
        """Return the next push to send, if there is one."""
        ...

    def answered(self, connection: "Connection", push: Push, answer: Answer) -> None:
        """Take what APNs said."""
        ...

    def unprocessed(self, push: Push) -> None:
        """Take back a push that APNs says it has not looked at."""
        ...

    def unknown(self, push: Push) -> None:
        """Take back a push that was sent and gets no answer: it may have been taken."""
        ...

    def leaving(self, connection: "Connection", reason: str) -> None:
        """Give it no more pushes; `reason` of APNs may be empty."""
        ...

    def closed(self, connection: "Connection") -> None:
        """Forget the connection; every push on it was told of."""
        ...


@dataclass(slots=True)
class _Stream:
    push: Push
    due: float
    status: int = 0
    body: bytes = b""


class Connection(asyncio.Protocol):
    """An open connection. `answers` counts what was answered on it; one that is `is_leaving` takes no more pushes."""

    def __init__(self, source: Source, *, credential: Credential, settings: Apns) -> None:
        self.answers = 0
        self.is_leaving = self.is_closed = False
        self._source, self._credential, self._settings = source, credential, settings
        self._loop = asyncio.get_running_loop()
        # What we send is written below, in the right form already; to look at each header again costs a fifth.
        self._h2 = H2Connection(
            H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None)
        )
        self._open: dict[int, _Stream] = {}
        self._next = 1
        self._received = bytearray()
        # Nothing is assumed about the number of streams: the first push waits for APNs' settings.
        self._ready = self._paused = False
        self._trusted = not credential.by_token
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to speak HTTP/2."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio hands to a stream protocol
        self._transport = transport
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is None or tls.selected_alpn_protocol() != "h2":
            transport.abort()
            return
        self._h2.initiate_connection()
        self._flush()

    @property
    def free(self) -> int:
        """How many more pushes it could take now."""
        if not self._ready or self._paused or self.is_leaving:
            return 0
        allowed = min(self._settings.streams, self._h2.remote_settings.max_concurrent_streams)
        # Apple: with token authentication one stream only, until the first authenticated push was answered.
        allowed = allowed if self._trusted else min(allowed, 1)
        room = self._h2.outbound_flow_control_window // len(PAYLOAD)
        if self._h2.remote_settings.initial_window_size < len(PAYLOAD):
            return 0
        return min(allowed - len(self._open), room)

    def pull(self) -> None:
        """Send as many pushes as there are free streams."""
        for _ in range(self.free):
            push = self._source.take()
            if push is None:
                break
            self._send(push)
            if self._next > _LAST_STREAM:
                self.leave()
                break
        self._flush()
        if self._open and self._watch is None:
            self._watch = self._loop.call_later(self._settings.patience, self._look)

    def leave(self) -> None:
        """Take no more pushes, and close when every answer is in."""
        self.is_leaving = True
        self._close_if_done()

    def abort(self) -> None:
        """Close without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what APNs says; GOAWAY is ours.

        h2 would take GOAWAY for the end and refuse the answers that still come for the streams up to the last one.
        """
        received = self._received
        received += data
        start = position = 0
        while len(received) - position >= _FRAME_HEAD:
            length = int.from_bytes(received[position : position + 3], "big")
            if length > _LONGEST_FRAME:
                self.abort()
                return
            end = position + _FRAME_HEAD + length
            if end > len(received):
                break
            if received[position + 3] == _GOAWAY:
                self._hand_over(bytes(received[start:position]))
                self._go_away(bytes(received[position + _FRAME_HEAD : end]))
                start = end
            position = end
        self._hand_over(bytes(received[start:position]))
        del received[:position]
        self._close_if_done()
        self.pull()

    def pause_writing(self) -> None:
        """Stop pulling: the socket is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """Pull again."""
        self._paused = False
        self.pull()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the shape of a protocol
        """Tell of every push without an answer that nobody knows what became of it."""
        self.is_leaving = self.is_closed = True
        if self._watch is not None:
            self._watch.cancel()
        streams, self._open = self._open, {}
        for stream in streams.values():
            self._source.unknown(stream.push)
        self._source.closed(self)

    def headers(self, push: Push) -> list[HeaderTuple]:
        """Return the head of a request. What differs in each push stays out of the compression table, as Apple asks."""
        settings = self._settings
        found = [
            HeaderTuple(":method", "POST"),
            HeaderTuple(":scheme", "https"),
            HeaderTuple(":authority", settings.host),
            NeverIndexedHeaderTuple(":path", f"/3/device/{push.token}"),
            NeverIndexedHeaderTuple("apns-id", push.apns_id),
            HeaderTuple("apns-topic", push.topic),
            *(HeaderTuple(name, value) for name, value in _STYLES[settings.style]),
        ]
        if settings.expiration is not None:
            until = int(datetime.now(UTC).timestamp()) + settings.expiration if settings.expiration else 0
            found.append(NeverIndexedHeaderTuple("apns-expiration", str(until)))
        push.authorization = self._credential.authorization()
        if push.authorization is not None:
            found.append(NeverIndexedHeaderTuple("authorization", push.authorization))
        return found

    def payload(self) -> bytes:
        """Return the body of a push."""
        return PAYLOAD

    def _send(self, push: Push) -> None:
        number, self._next = self._next, self._next + 2
        push.tries += 1
        self._h2.send_headers(number, self.headers(push))
        self._h2.send_data(number, self.payload(), end_stream=True)
        self._open[number] = _Stream(push, self._loop.time() + self._settings.patience)

    def _hand_over(self, data: bytes) -> None:
        if not data:
            return
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            # h2 has prepared the GOAWAY that says so; what was not answered is unknown.
            self._flush()
            self.abort()
            return
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, RemoteSettingsChanged):
            self._ready = True
            return
        stream = self._open.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        if stream is None:
            return
        if isinstance(event, ResponseReceived):
            stream.status = next(int(value) for name, value in event.headers or () if name == b":status")
        elif isinstance(event, DataReceived):
            stream.body += event.data or b""
        elif isinstance(event, StreamEnded):
            del self._open[event.stream_id or 0]
            self._answer(stream)
        elif isinstance(event, StreamReset):
            del self._open[event.stream_id]
            refused = event.error_code == ErrorCodes.REFUSED_STREAM
            (self._source.unprocessed if refused else self._source.unknown)(stream.push)

    def _answer(self, stream: _Stream) -> None:
        self.answers += 1
        # "The first authenticated push": any answer but that the authorization is none.
        self._trusted |= stream.status != HTTPStatus.FORBIDDEN
        self._source.answered(self, stream.push, _answer(stream.status, stream.body))

    def _go_away(self, payload: bytes) -> None:
        """Give back what APNs says it has not looked at; answers to all the rest may still come."""
        last = int.from_bytes(payload[:4], "big") & _LAST_STREAM
        self.is_leaving = True
        self._source.leaving(self, _reason(payload[8:])[0])
        for number in [number for number in self._open if number > last]:
            self._source.unprocessed(self._open.pop(number).push)

    def _look(self) -> None:
        """Give the connection up if the oldest push has waited too long for its answer."""
        self._watch = None
        if not self._open:
            return
        wait = next(iter(self._open.values())).due - self._loop.time()
        if wait <= 0:
            self.abort()
        else:
            self._watch = self._loop.call_later(wait, self._look)

    def _close_if_done(self) -> None:
        if self.is_leaving and not self._open and self._transport is not None and not self._transport.is_closing():
            self._h2.close_connection()
            self._flush()
            self._transport.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _answer(status: int, body: bytes) -> Answer:
    reason, timestamp = _reason(body)
    return Answer(status, reason, timestamp)


def _reason(body: bytes) -> tuple[str, datetime | None]:
    """Return reason and moment of a JSON body; APNs puts the same into GOAWAY."""
    try:
        told = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        return "", None
    if not isinstance(told, dict):
        return "", None
    reason, moment = told.get("reason"), told.get("timestamp")
    since = datetime.fromtimestamp(moment / 1000, UTC) if isinstance(moment, int) else None
    return reason if isinstance(reason, str) else "", since

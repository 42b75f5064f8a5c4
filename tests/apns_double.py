"""APNs for tests: real TLS, ALPN and HTTP/2, every rule and reason of Apple's pages, time and accidents by hand.

It complains (`complaints`) about what Apple only punishes: a 5xx tried again within 15 minutes, a token pushed after it
was called dead, PRIORITY frames, a compressed body. A device that is away gets one stored push per topic, the latest.
"""

import asyncio
import json
import re
import ssl
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, PriorityUpdated, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from tests.apple_keys import AppleKeys
from tests.doubles import ManualClock
from tests.tls import server_pem

QUARTER = timedelta(minutes=15)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r"[0-9a-fA-F]{8,200}")
_PUSH_TYPES = {"alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity"}
_PAGE = 4096


@dataclass(slots=True)
class Rules:
    """What the double is told to do beyond its rules."""

    streams: int = 1000
    goaway_every: int = 0  # after so many streams of a connection
    goaway_reason: str = ""
    refuse: set[int] = field(default_factory=set)  # n-th requests of all, refused before they are looked at
    reset: set[int] = field(default_factory=set)  # n-th requests, taken and then reset without an answer
    drop: set[int] = field(default_factory=set)  # n-th requests, taken, then the connection is cut
    pushes_per_minute: int = 0  # of one token; 0 = any number
    bad_tokens: int = 0  # after so many BadDeviceToken the connection ends
    answering: bool = True
    window: int = 65_535  # bytes of each stream that may be sent to us


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamKey:
    """What the double knows of a .p8 key."""

    public: EllipticCurvePublicKey
    key_id: str
    team_id: str


class ApnsDouble:
    """The state of all connections; `team_key` makes it ask for tokens instead of a certificate."""

    def __init__(self, keys: AppleKeys, *, clock: ManualClock, team_key: TeamKey | None = None) -> None:
        self.keys, self.clock, self.team_key = keys, clock, team_key
        self.rules = Rules()
        self.port = 0
        self.complaints: list[str] = []
        self.script: dict[str, deque[tuple[int, str]]] = defaultdict(deque)
        self.dead: dict[str, datetime] = {}
        self.bad: set[str] = set()
        self.foreign: set[str] = set()
        self.requests: list[dict[str, str]] = []
        self.answers: Counter[tuple[int, str]] = Counter()
        self.accepted: Counter[str] = Counter()
        self.pushed: Counter[tuple[str, str]] = Counter()
        self.stored: dict[tuple[str, str], str] = {}
        self.connections = self.busiest = self.seen = 0
        self.open: set[_Connection] = set()
        self._told: set[str] = set()
        self._troubled: dict[tuple[str, str], datetime] = {}
        self._recent: dict[str, list[datetime]] = defaultdict(list)
        self._provider_tokens: dict[str, datetime] = {}

    @property
    def authorities(self) -> bytes:
        return self.keys.root_pem

    @property
    def doubled(self) -> dict[str, int]:
        """Ids that were taken more than once, and pushes of a device and topic beyond the first, under any id."""
        again = {apns_id: count for apns_id, count in self.accepted.items() if count > 1}
        return again | {token: count for (token, _), count in self.pushed.items() if count > 1}

    def deliver(self, token: str, topic: str) -> bool:
        """Return whether the device that comes back gets a push: at most one, whatever was sent."""
        return self.stored.pop((token, topic), None) is not None

    def set_streams(self, count: int) -> None:
        self.rules.streams = count
        for connection in self.open:
            connection.allow(count)

    def release(self) -> None:
        """Answer what was held back while `rules.answering` was false."""
        self.rules.answering = True
        for connection in tuple(self.open):
            connection.release()

    def go_away(self, reason: str = "", *, last: int | None = None) -> None:
        for connection in tuple(self.open):
            connection.go_away(reason, last=last)

    def cut(self) -> None:
        for connection in tuple(self.open):
            connection.transport.abort()

    def judge(self, headers: list[tuple[str, str]], body: bytes, topics: set[str]) -> tuple[int, str, datetime | None]:
        """Return status, reason and moment for a request, and note what Apple would punish."""
        named = dict(headers)
        self.requests.append(named)
        status, reason, since = self._judge(headers, named, body, topics)
        self.answers[status, reason] += 1
        token, topic = named[":path"].rpartition("/")[2], named.get("apns-topic", "")
        if status >= 500:
            self._troubled[token, topic] = self.clock.now
        elif status == 200:
            self.accepted[named.get("apns-id", "")] += 1
            self.pushed[token, topic] += 1
            self.stored[token, topic] = named.get("apns-id", "")
        return status, reason, since

    def _judge(
        self, headers: list[tuple[str, str]], named: dict[str, str], body: bytes, topics: set[str]
    ) -> tuple[int, str, datetime | None]:
        if named[":method"] != "POST":
            return 405, "MethodNotAllowed", None
        if not named[":path"].startswith("/3/device/"):
            return 404, "BadPath", None
        if self.team_key is not None and (refusal := self._authorize(named.get("authorization"))):
            return *refusal, None
        if refusal := _head(headers, named) or _payload(named, body):
            return *refusal, None
        token, topic = named[":path"][len("/3/device/") :], named["apns-topic"]
        if topics and topic not in topics:
            return 400, "TopicDisallowed", None
        return self._device(token, topic)

    def _device(self, token: str, topic: str) -> tuple[int, str, datetime | None]:
        if token in self._told:
            self.complaints.append(f"token {token} was pushed again after it was called dead")
        now = self.clock.now
        if (token, topic) in self._troubled and now - self._troubled[token, topic] < QUARTER:
            self.complaints.append(f"token {token} was pushed {now - self._troubled[token, topic]} after a 5xx")
        if self.script[token]:
            return *self.script[token].popleft(), None
        if token in self.dead:
            self._told.add(token)
            return 410, "Unregistered", self.dead[token]
        if token in self.bad or not _TOKEN.fullmatch(token):
            self._told.add(token)
            return 400, "BadDeviceToken", None
        if token in self.foreign:
            self._told.add(token)
            return 400, "DeviceTokenNotForTopic", None
        if self.rules.pushes_per_minute:
            recent = [moment for moment in self._recent[token] if now - moment < timedelta(minutes=1)]
            self._recent[token] = [*recent, now]
            if len(recent) >= self.rules.pushes_per_minute:
                return 429, "TooManyRequests", None
        return 200, "", None

    def _authorize(self, header: str | None) -> tuple[int, str] | None:
        key = self.team_key
        assert key is not None
        if not header or not header.startswith("bearer "):
            return 403, "MissingProviderToken"
        token = header.removeprefix("bearer ")
        try:
            claims = jwt.decode(token, key.public, algorithms=["ES256"], options={"verify_iat": False})
        except jwt.PyJWTError:
            return 403, "InvalidProviderToken"
        if jwt.get_unverified_header(token).get("kid") != key.key_id or claims.get("iss") != key.team_id:
            return 403, "InvalidProviderToken"
        now = self.clock.now
        age = now.timestamp() - claims["iat"]
        if age > 3600 or age < -60:
            return 403, "ExpiredProviderToken"
        if token not in self._provider_tokens:
            if any(now - seen < timedelta(minutes=20) for seen in self._provider_tokens.values()):
                return 429, "TooManyProviderTokenUpdates"
            self._provider_tokens[token] = now
        return None


def _head(headers: list[tuple[str, str]], named: dict[str, str]) -> tuple[int, str] | None:
    """Return the refusal that the headers of a request deserve."""
    priority, expiration = named.get("apns-priority", "10"), named.get("apns-expiration", "0")
    kind, identifier = named.get("apns-push-type"), named.get("apns-id")
    for wrong, reason in (
        (len(named) != len(headers), "DuplicateHeaders"),
        (named[":path"] == "/3/device/", "MissingDeviceToken"),
        ("apns-topic" not in named, "MissingTopic"),
        (re.fullmatch(r"[\w.-]+", named.get("apns-topic", "x")) is None, "BadTopic"),
        (identifier is not None and _UUID.fullmatch(identifier) is None, "BadMessageId"),
        (not expiration.isdigit(), "BadExpirationDate"),
        (kind is not None and kind not in _PUSH_TYPES, "InvalidPushType"),
        (priority not in {"1", "5", "10"}, "BadPriority"),
        (kind == "background" and priority == "10", "BadPriority"),
        (len(named.get("apns-collapse-id", "").encode()) > 64, "BadCollapseId"),
    ):
        if wrong:
            return 400, reason
    return None


def _payload(named: dict[str, str], body: bytes) -> tuple[int, str] | None:
    if not body:
        return 400, "PayloadEmpty"
    if len(body) > _PAGE:
        return 413, "PayloadTooLarge"
    if "content-encoding" in named or not isinstance(json.loads(body), dict):
        return 400, "PayloadEmpty"
    return None


class _Connection(asyncio.Protocol):
    def __init__(self, double: ApnsDouble) -> None:
        self.double = double
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests: dict[int, tuple[list[tuple[str, str]], bytearray]] = {}
        self.held: list[int] = []
        self.topics: set[str] = set()
        self.authenticated = double.team_key is None
        self.taken = self.last = self.bad_tokens = 0
        self.allowed = 0
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        tls = transport.get_extra_info("ssl_object")
        if tls.selected_alpn_protocol() != "h2":
            transport.abort()
            return
        certificate = tls.getpeercert(binary_form=True)
        if certificate and self.double.team_key is None:
            self.topics = _topics(x509.load_der_x509_certificate(certificate))
        self.double.connections += 1
        self.double.open.add(self)
        self.allowed = self.double.rules.streams if self.authenticated else 1
        first = {
            SettingCodes.MAX_CONCURRENT_STREAMS: self.allowed,
            SettingCodes.INITIAL_WINDOW_SIZE: self.double.rules.window,
        }
        self.h2.local_settings = Settings(client=False, initial_values=first)
        self.h2.initiate_connection()
        self.flush()

    def allow(self, count: int) -> None:
        self.allowed = count if self.authenticated else 1
        self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self.allowed})
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError as error:
            self.double.complaints.append(f"protocol error: {error}")
            self.transport.abort()
            return
        for event in events:
            if isinstance(event, RequestReceived):
                self.requests[event.stream_id] = (event.headers, bytearray())
                self.double.busiest = max(self.double.busiest, len(self.requests))
            elif isinstance(event, DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.stream_id in self.requests:
                    self.requests[event.stream_id][1].extend(event.data)
            elif isinstance(event, StreamEnded) and event.stream_id in self.requests:
                self.arrived(event.stream_id)
            elif isinstance(event, StreamReset):
                self.requests.pop(event.stream_id, None)
            elif isinstance(event, PriorityUpdated):
                self.double.complaints.append("a PRIORITY frame")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the shape of a protocol
        self.double.open.discard(self)
        # What was looked at was taken, whether or not anybody is there to hear it.
        for number in self.held:
            if number in self.requests:
                self.judge(number)

    def arrived(self, number: int) -> None:
        rules = self.double.rules
        self.double.seen += 1
        count = self.double.seen
        if self.gone and number > self.last:
            self.requests.pop(number)  # sent before the client saw GOAWAY: never looked at, never answered
            return
        if count in rules.refuse:
            self.requests.pop(number)
            self.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            return
        self.taken += 1
        self.last = max(self.last, number)
        if count in rules.reset | rules.drop:
            self.judge(number)
            if count in rules.drop:
                self.transport.abort()
            else:
                self.h2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
            return
        if not rules.answering:
            self.held.append(number)
            return
        self.answer(number)
        if rules.goaway_every and self.taken == rules.goaway_every:
            self.go_away(rules.goaway_reason)

    def judge(self, number: int) -> tuple[int, str, datetime | None, str]:
        headers, body = self.requests.pop(number)
        return *self.double.judge(headers, bytes(body), self.topics), dict(headers).get("apns-id", "")

    def answer(self, number: int) -> None:
        status, reason, since, apns_id = self.judge(number)
        told = {"reason": reason} | ({"timestamp": int(since.timestamp() * 1000)} if since else {})
        head = [(":status", str(status)), ("apns-id", apns_id)]
        self.h2.send_headers(number, head, end_stream=not reason)
        if reason:
            self.h2.send_data(number, json.dumps(told).encode(), end_stream=True)
        if not self.authenticated and status != 403:
            self.authenticated = True
            self.allow(self.double.rules.streams)
        self.bad_tokens += reason == "BadDeviceToken"
        if self.double.rules.bad_tokens and self.bad_tokens == self.double.rules.bad_tokens:
            self.go_away("BadDeviceToken")
        self.flush()
        if self.gone and not self.requests:
            self.transport.close()

    def release(self) -> None:
        held, self.held = self.held, []
        for number in held:
            if number in self.requests:
                self.answer(number)

    def go_away(self, reason: str = "", *, last: int | None = None) -> None:
        """Say that nothing above the last stream is looked at; what is below still gets its answer."""
        if self.gone:
            return
        self.last = self.last if last is None else last
        self.gone = True
        self.flush()
        # h2 would close the connection for itself with this frame, so it is written past it.
        told = json.dumps({"reason": reason}).encode() if reason else b""
        frame = GoAwayFrame(0, last_stream_id=self.last, error_code=0, additional_data=told)
        self.transport.write(frame.serialize())
        for number in [number for number in self.requests if number > self.last]:
            del self.requests[number]
        if not self.requests:
            self.transport.close()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.transport.write(data)


def _topics(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.2.840.113635.100.6.1.16"))
    named = extension.value.public_bytes()[2:].decode()
    subject = {str(found.value) for found in certificate.subject.get_attributes_for_oid(NameOID.USER_ID)}
    return subject & {named}


def server_context(keys: AppleKeys, *, certificates: bool = True) -> ssl.SSLContext:
    """Return TLS settings of a server of this machine, below the same root as the clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    if certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=(keys.root_pem + keys.wwdr_pem).decode())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(server_pem())
        context.load_cert_chain(file)
    return context


@asynccontextmanager
async def listening(double: ApnsDouble) -> AsyncIterator[ApnsDouble]:
    """Let the double listen on a free port of this machine."""
    context = server_context(double.keys, certificates=double.team_key is None)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(double), "127.0.0.1", 0, ssl=context)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        server.close()
        double.cut()
        await server.wait_closed()

"""Pushes of one credential: over several connections, again after what was lost, and stopped where APNs says stop."""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from flatfile_sync.wallets.apple.apns import Answer, Apns, Connection, Push
from flatfile_sync.wallets.apple.apns_reasons import BY_REASON, Action, verdict
from flatfile_sync.wallets.apple.credentials import Credential

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0


class Fate(NamedTuple):
    """What became of a push: the answer, or None with the reason why there is none.

    `stopped`: it was not sent, since another push was answered with this reason.
    """

    answer: Answer | None
    reason: str = ""
    stopped: bool = False


@dataclass(slots=True)
class Counts:
    """What happened since the start, for metrics and tests."""

    answered: int = 0
    unprocessed: int = 0
    unknown: int = 0
    connections: int = 0


class Pusher:
    """Sends batches, one at a time; its connections stay open between them.

    A push without an answer goes again with the same `apns-id`, up to `Apns.tries` times. A certificate or key that is
    refused ends the batch, and a push that APNs calls wrong ends it for its topic: what was not sent comes back.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        settings: Apns,
        authorities: bytes | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        connection: type[Connection] = Connection,
    ) -> None:
        self.credential = credential
        self.counts = Counts()
        self._settings, self._sleep, self._connection = settings, sleep, connection
        self._context = credential.context(authorities)
        self._turn = asyncio.Lock()
        self._queue: deque[Push] = deque()
        self._fates: dict[int, Fate] = {}
        self._left = 0
        self._stopped: dict[str, str] = {}
        self._connections: set[Connection] = set()
        self._failures = 0
        self._changed = asyncio.Event()

    async def send(self, pushes: Sequence[Push]) -> list[Fate]:
        """Return the fate of each push, in their order. Raises nothing of the network's."""
        async with self._turn:
            self._queue.extend(pushes)
            self._fates, self._left, self._stopped, self._failures = {}, len(pushes), {}, 0
            while self._left:
                self._changed.clear()
                for connection in tuple(self._connections):
                    connection.pull()
                if self._queue and len(self._connections) < self._wanted():
                    await self._connect()
                elif self._left:
                    await self._changed.wait()
            return [self._fates[id(push)] for push in pushes]

    async def close(self) -> None:
        """Close the connections."""
        for connection in tuple(self._connections):
            connection.leave()
        try:
            async with asyncio.timeout(self._settings.patience):
                while self._connections:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.abort()

    def take(self) -> Push | None:
        """Return the next push whose topic is not stopped."""
        while self._queue:
            push = self._queue.popleft()
            why = self._stopped.get(push.topic) or self._stopped.get("")
            if why is None:
                return push
            self._settle(push, Fate(None, why, stopped=True))
        return None

    def answered(self, connection: Connection, push: Push, answer: Answer) -> None:
        """Settle the push, unless another authorization or connection may help it."""
        self.counts.answered += 1
        self._failures = 0
        action = verdict(answer.status, answer.reason).action
        if action is Action.RECONNECT and push.tries < self._settings.tries:
            connection.leave()
            self._again(push)
            return
        if action is Action.RENEW:
            if not push.renewed and self.credential.renew(push.authorization or ""):
                push.renewed = True
                self._again(push)
                return
            action = Action.STOP_CREDENTIAL
        if action in {Action.STOP_CREDENTIAL, Action.STOP_MINTING}:
            self._stop("", answer.reason)
        elif action in {Action.STOP_TOPIC, Action.BUG}:
            self._stop(push.topic, answer.reason)
        self._settle(push, Fate(answer, answer.reason))

    def unprocessed(self, push: Push) -> None:
        """Send it again: nothing has happened. It counts as a try only if nothing was answered since the last time."""
        self.counts.unprocessed += 1
        if push.refused_at != self.counts.answered:
            push.refused_at = self.counts.answered
            push.tries -= 1
        self._once_more(push, "APNs did not look at it")

    def unknown(self, push: Push) -> None:
        """Send it again with the same id: a push carries no data, a second one does no harm."""
        self.counts.unknown += 1
        self._once_more(push, "no answer")

    def leaving(self, connection: Connection, reason: str) -> None:  # noqa: ARG002 - the shape of `Source`
        """Open another connection; a reason that is about the credential stops it."""
        if BY_REASON.get(reason) is Action.STOP_CREDENTIAL:
            self._stop("", reason)
        self._changed.set()

    def closed(self, connection: Connection) -> None:
        """Forget the connection; one that never answered is a failure."""
        self._connections.discard(connection)
        if not connection.answers:
            self._failures += 1
        self._changed.set()

    def _wanted(self) -> int:
        """How many connections the queue needs; those on their way out count as none."""
        streams = max(1, self._settings.streams)
        leaving = sum(connection.is_leaving for connection in self._connections)
        needed = -(-len(self._queue) // streams)
        return leaving + min(self._settings.connections, max(1, needed))

    async def _connect(self) -> None:
        settings = self._settings
        if self._failures >= settings.tries and not self._connections:
            self._give_up("no connection to APNs")
            return
        if self._failures:
            await self._sleep(min(_FIRST_WAIT * 2.0 ** (self._failures - 1), _LONGEST_WAIT))
        try:
            async with asyncio.timeout(settings.patience):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: self._connection(self, credential=self.credential, settings=settings),
                    settings.host,
                    settings.port,
                    ssl=self._context,
                    ssl_shutdown_timeout=settings.patience,
                )
        except (OSError, ssl.SSLError, TimeoutError):
            self._failures += 1
            return
        self.counts.connections += 1
        if not connection.is_closed:
            self._connections.add(connection)

    def _again(self, push: Push) -> None:
        self._queue.appendleft(push)
        if self._stopped:
            self._give_up("")
        self._changed.set()

    def _once_more(self, push: Push, reason: str) -> None:
        if push.tries < self._settings.tries:
            self._again(push)
        else:
            self._settle(push, Fate(None, reason))

    def _stop(self, topic: str, reason: str) -> None:
        """Send nothing more of this batch on the topic; the empty topic is all of them."""
        self._stopped.setdefault(topic, reason)
        if not topic:
            for connection in tuple(self._connections):
                connection.leave()
        self._give_up("")

    def _give_up(self, reason: str) -> None:
        """Settle what is queued and may not go, or with a reason all of it."""
        waiting, self._queue = self._queue, deque()
        for push in waiting:
            why = reason or self._stopped.get(push.topic) or self._stopped.get("")
            if why:
                self._settle(push, Fate(None, why, stopped=not reason))
            else:
                self._queue.append(push)

    def _settle(self, push: Push, fate: Fate) -> None:
        self._fates[id(push)] = fate
        self._left -= 1
        if not self._left:
            self._changed.set()

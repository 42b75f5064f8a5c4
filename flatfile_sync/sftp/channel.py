"""One SFTP channel of an SSH connection: frames in, replies out, in order, and neither side runs ahead of the other."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

import asyncssh
import structlog

from flatfile_sync.sftp.packets import LENGTH, MAX_PACKET
from flatfile_sync.sftp.protocol import Protocol
from flatfile_sync.sftp.session import Session

# Requests read ahead of the one that is being answered.
_READ_AHEAD: Final = 4 * 1024 * 1024
_LOST: Final = "the session was lost"

_log = structlog.get_logger()


class Channel(asyncssh.SSHServerSession[bytes]):
    """Feeds the requests of a channel to a protocol. Whatever a client left open at its end is abandoned."""

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, Session]], tasks: set[asyncio.Task[None]]) -> None:
        self._begin = begin
        self._tasks = tasks
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._buffer = bytearray()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._arrived = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._ended = False  # no further request will come
        self._gone = False  # nobody reads an answer any more

    # What asyncssh calls.

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Take the channel; its text would be bytes anyway."""
        self._channel = chan

    def shell_requested(self) -> bool:
        """Refuse shells."""
        return False

    def exec_requested(self, command: str) -> bool:  # noqa: ARG002 - nothing is run, whatever it is
        """Refuse commands; rclone probes for some and takes the answer well."""
        return False

    def subsystem_requested(self, subsystem: str) -> bool:
        """Accept `sftp` alone."""
        return subsystem == "sftp"

    def session_started(self) -> None:
        """Begin to answer."""
        task = asyncio.get_running_loop().create_task(self._run(), name="sftp channel")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002 - a client sends no stderr
        """Cut what came into requests."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer, at)
            if not 0 < length <= MAX_PACKET:
                _log.warning("door_bad_frame", length=length)
                self._ended = True
                self._buffer.clear()
                break
            end = at + LENGTH.size + length
            if len(self._buffer) < end:
                break
            self._waiting.append(bytes(self._buffer[at + LENGTH.size : end]))
            self._waiting_bytes += length
            at = end
        del self._buffer[:at]
        if self._waiting_bytes > _READ_AHEAD and self._channel is not None:
            self._channel.pause_reading()
        self._arrived.set()

    def eof_received(self) -> bool:
        """Answer what came before the client's last word, then end."""
        self._ended = True
        self._arrived.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended, it ended
        """Take what had arrived, then abandon what is open."""
        self._ended = self._gone = True
        self._arrived.set()
        self._may_write.set()

    def pause_writing(self) -> None:
        """Answer nothing more until the client has read."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Go on answering."""
        if not self._gone:
            self._may_write.set()

    # What we do.

    async def _run(self) -> None:
        session: Session | None = None
        try:
            session = await self._begin()
            await self._serve(Protocol(session))
        except Exception:  # noqa: BLE001 - one channel's trouble must not end the door
            _log.exception("channel_failed")
        finally:
            if session is not None:
                await asyncio.shield(session.end(_LOST))
            if self._channel is not None and not self._gone:
                # Without an exit status OpenSSH's scp takes a good upload for a failed one.
                self._channel.exit(0)

    async def _serve(self, protocol: Protocol) -> None:
        while True:
            while self._waiting:
                packet = self._waiting.popleft()
                self._waiting_bytes -= len(packet)
                if self._waiting_bytes <= _READ_AHEAD and self._channel is not None and not self._gone:
                    self._channel.resume_reading()
                reply = await protocol.answer(packet)
                if reply is None:
                    return
                if self._channel is not None and not self._gone:
                    self._channel.write(reply)
                await self._may_write.wait()
            if self._ended:
                return
            self._arrived.clear()
            await self._arrived.wait()

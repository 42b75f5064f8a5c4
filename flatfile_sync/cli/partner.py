"""The partner's side of the door, on paramiko: put a file, wait for its result set, fetch it."""

import base64
import csv
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

import paramiko

from flatfile_sync.domain.failures import PermanentFailure, Refused, TemporaryFailure

_LOOK_SECONDS: Final = 0.2
_CONNECT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to go and as whom; `fingerprints` pin the server's keys, else ~/.ssh/known_hosts must know it."""

    host: str
    port: int
    user: str
    key: Path
    fingerprints: tuple[str, ...] = ()


class Partner:
    """One SFTP session of an account."""

    def __init__(self, address: Address) -> None:
        self._client = paramiko.SSHClient()
        if not address.fingerprints:
            self._client.load_system_host_keys()
        self._client.set_missing_host_key_policy(_Pinned(address))
        try:
            self._client.connect(
                address.host,
                port=address.port,
                username=address.user,
                key_filename=str(address.key),
                allow_agent=False,
                look_for_keys=False,
                timeout=_CONNECT_SECONDS,
            )
        except paramiko.AuthenticationException:
            self._client.close()
            raise PermanentFailure(
                f"{address.host}:{address.port} does not let {address.user!r} in with {address.key}; "
                "`flatfile-sync accounts keys` lists what it takes."
            ) from None
        except (OSError, paramiko.SSHException) as error:
            self._client.close()
            raise TemporaryFailure(f"{address.host}:{address.port} cannot be reached: {error}") from None
        self.sftp = self._client.open_sftp()

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self._client.close()

    def put(
        self, file: Path, folder: str, *, name: str | None = None, progress: Callable[[int, int], None] | None = None
    ) -> "Sent":
        """Put a file into a folder of the inbox or dryrun; `progress` hears bytes sent and bytes in all."""
        name = name or file.name
        outbox = str(PurePosixPath("/outbox", *PurePosixPath(folder).parts[2:]))
        try:
            before = set(self.sftp.listdir(outbox))
            self.sftp.put(str(file), f"{folder}/{name}", callback=progress)
        except OSError as error:
            raise Refused(f"{folder}/{name} was not taken: {error}") from None
        except (EOFError, paramiko.SSHException) as error:
            raise TemporaryFailure(
                f"The connection broke while {name} was sent, so it was not taken: {error}"
            ) from None
        return Sent(self, outbox, name, before)

    def read(self, path: str) -> bytes:
        """Return a whole file of the outbox."""
        with self.sftp.open(path) as handle:
            handle.prefetch()
            data: bytes = handle.read()
        return data


class Sent:
    """A file that was put: its artefacts appear in the outbox one by one."""

    def __init__(self, partner: Partner, outbox: str, name: str, before: set[str]) -> None:
        self.outbox = outbox
        self._partner = partner
        self._name = name
        self._before = before

    def ack(self, *, timeout: float) -> dict[str, Any]:
        """Return the acknowledgement; it is there as soon as the close was answered."""
        for _ in _looks(timeout, f"the acknowledgement of {self._name}"):
            for name in self._partner.sftp.listdir(self.outbox):
                if name.endswith(".ack.json") and name not in self._before and self._belongs(name):
                    found: dict[str, Any] = json.loads(self._partner.read(f"{self.outbox}/{name}"))
                    return found | {"stem": name.removesuffix(".ack.json")}
        raise AssertionError  # the loop above ends by raising

    def result_set(
        self,
        stem: str,
        *,
        last: str = "summary.json",
        timeout: float,
        progress: Callable[[str, int], None] = lambda *_: None,
    ) -> "ResultSet":
        """Return the result set once its `last` file is there; `progress` hears step and records while it is not."""
        for _ in _looks(timeout, f"{stem}.{last}"):
            names = self._partner.sftp.listdir(self.outbox)
            if f"{stem}.{last}" in names:
                kinds = sorted(name.removeprefix(f"{stem}.") for name in names if name.startswith(f"{stem}."))
                return ResultSet(stem, {kind: self._partner.read(f"{self.outbox}/{stem}.{kind}") for kind in kinds})
            if f"{stem}.progress.json" in names:
                self._tell(f"{self.outbox}/{stem}.progress.json", progress)
        raise AssertionError  # the loop above ends by raising

    def _tell(self, path: str, progress: Callable[[str, int], None]) -> None:
        try:
            told = json.loads(self._partner.read(path))
        except OSError:
            return  # it went between the listing and the look
        progress(told["step"], told["records"])

    def _belongs(self, name: str) -> bool:
        # A rejects file that comes back keeps the name of the file it began as.
        return name.startswith(f"{self._name}.") or self._name.startswith(name.split(".csv.", 1)[0])


@dataclass(frozen=True, slots=True)
class ResultSet:
    """The files of a drop by their kind (`result.csv`, `summary.json`, ...), and the stem of their names."""

    stem: str
    files: dict[str, bytes]

    @property
    def summary(self) -> dict[str, Any]:
        """Return the summary."""
        found: dict[str, Any] = json.loads(self.files["summary.json"])
        return found

    def table(self, kind: str) -> list[dict[str, str]]:
        """Return the rows of one of the CSV files; none if it is not there."""
        text = self.files.get(kind, b"").decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def save(self, folder: Path) -> list[Path]:
        """Write all files into a folder and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        saved = []
        for kind, data in self.files.items():
            path = folder / f"{self.stem}.{kind}"
            path.write_bytes(data)
            saved.append(path)
        return saved


class _Pinned(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # it has no types
    """Accept the pinned key alone."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
        """Compare the key a server shows with the pinned fingerprint."""
        digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
        found = f"SHA256:{digest}"
        if found not in self._address.fingerprints:
            wanted = " or ".join(self._address.fingerprints) or "a key in ~/.ssh/known_hosts"
            raise paramiko.SSHException(f"its {key.get_name()} key is {found}, expected {wanted}; see --fingerprint")


def _looks(timeout: float, what: str) -> Iterator[None]:
    """Yield until the time is over, then say that it is."""
    deadline = time.monotonic() + timeout
    while True:
        yield
        if time.monotonic() > deadline:
            raise TemporaryFailure(f"{what} has not appeared within {timeout:g} s; it may still come.")
        time.sleep(_LOOK_SECONDS)

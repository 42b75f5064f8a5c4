import pytest

from tests.conftest import DATABASES
from tests.daemon import Daemon, prepare_folder


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "instance"
    prepare_folder(folder)
    return folder


@pytest.fixture(params=DATABASES)
def daemon(request, prepared_folder, tmp_path):
    """Return a daemon that runs, once on each database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    yield from _running(Daemon(prepared_folder, tmp_path / "daemon", database_url=url))


@pytest.fixture
def sqlite_daemon(prepared_folder, tmp_path):
    """Return a daemon that runs on the embedded database, for what no database has a part in."""
    yield from _running(Daemon(prepared_folder, tmp_path / "daemon"))


def _running(daemon):
    daemon.start()
    yield daemon
    daemon.stop()

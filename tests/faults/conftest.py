import pytest

from tests.acceptance.conftest import prepared_folder
from tests.conftest import DATABASES, make_database
from tests.daemon import Daemon
from tests.faults.scenario import CHUNK, Sender, files, look, seed, wait_until_settled

__all__ = ["prepared_folder"]


@pytest.fixture(params=DATABASES)
def database(request):
    """Return the name of a database, one after the other."""
    return request.param


@pytest.fixture
def daemon(database, make_daemon):
    """Return a daemon that does not run yet, with passes, once on each database."""
    return make_daemon(database)


@pytest.fixture
def make_daemon(request, prepared_folder, tmp_path):
    """Return what makes a daemon with passes on a database."""
    made = []

    def make(database):
        url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
        folder = tmp_path / f"daemon-{len(made)}"
        made.append(Daemon(prepared_folder, folder, database_url=url, settings=CHUNK))
        seed(made[-1], folder)
        return made[-1]

    yield make
    for daemon in made:
        daemon.stop()


@pytest.fixture(scope="session")
def undisturbed(request, prepared_folder, tmp_path_factory):
    """Return what comes of the files on a database when nobody is killed; found out once per process."""
    known = {}

    def find(database):
        if database not in known:
            url = next(own_database(request)) if database == "postgresql" else ""
            folder = tmp_path_factory.mktemp("undisturbed") / "daemon"
            daemon = Daemon(prepared_folder, folder, database_url=url, settings=CHUNK)
            seed(daemon, folder)
            daemon.start()
            sender = Sender(daemon)
            for name, text in files().items():
                assert sender.send(name, text)
            wait_until_settled(daemon, files())
            known[database] = look(daemon, sender.tries)
            daemon.stop()
        return known[database]

    return find


def own_database(request):
    server = request.getfixturevalue("postgresql_server")
    return make_database(server, request.getfixturevalue("postgresql_administration"), template="prepared")

import shutil
from argparse import Namespace
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flatfile_sync.cli.main import app
from flatfile_sync.spool.local import Spool
from flatfile_sync.store.database import Store
from tests.builders import kit as make_kit
from tests.doubles import ManualClock
from tests.line import sandboxes

SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.fixture
def run():
    """Run the program in this process; returns exit code, standard output and standard error."""

    def call(*args, env=None, **more):
        # A width that the test run itself was given must not fold our tables.
        return CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": None} | (env or {}), **more)

    return call


@pytest.fixture
def loyalty_folder(tmp_path):
    """A copy of the example project that a test may change."""
    folder = tmp_path / "projects" / "loyalty"
    shutil.copytree(SCHEMAS / "loyalty", folder)
    return folder


@pytest.fixture
def place(tmp_path, sqlite_url, loyalty_folder, run):
    """A data folder as `init` leaves it; `kit` works on it as the daemon would, `run` as an operator does."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    config = tmp_path / "flatfile-sync.toml"
    config.write_text(
        f'data_folder = "{data}"\nprojects_folder = "{loyalty_folder.parent}"\ndatabase_url = "{sqlite_url}"\n'
    )
    store = Store(sqlite_url)
    kit = make_kit(store, Spool(data / "spool"), clock=ManualClock(), platforms=sandboxes())

    yield Namespace(data=data, config=config, kit=kit, run=partial(run, "--config", config), loyalty=loyalty_folder)
    store.close()

"""One prepared and seeded SQLite database per example project, copied for each case."""

import shutil
from pathlib import Path

from flatfile_sync.store.database import Store
from flatfile_sync.store.migrate import prepare
from tests.golden.seeding import seed


class Stores:
    """Makes stores that hold a project's existing passes; the first of a project is made, the others are copies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, project: str, target: Path) -> Store:
        source = self._folder / f"{project}.db"
        if not source.exists():
            prepare(f"sqlite:///{source}")
            store = Store(f"sqlite:///{source}")
            seed(store, project)
            store.close()
        shutil.copyfile(source, target)
        return Store(f"sqlite:///{target}")

"""`make golden`: walk every case, or those named, and keep its result set as the expected one."""

import asyncio
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import structlog

from flatfile_sync.spool.local import Spool
from tests.golden.cases import find, names
from tests.golden.stores import Stores
from tests.golden.walking import walk


def main(chosen: list[str]) -> None:
    """Rewrite the expected result sets of the cases whose name contains one of the words; of all without any."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stores = Stores(root)
        for number, name in enumerate(names()):
            if chosen and not any(word in name for word in chosen):
                continue
            case = find(name)
            store = stores.open(case.project, root / f"{number}.db")
            try:
                found = asyncio.run(walk(case, store, Spool(root / f"spool-{number}")))
            finally:
                store.close()
            found = case.compared(found)
            if found != case.expected():
                shutil.rmtree(case.folder, ignore_errors=True)
                case.folder.mkdir()
                for kind, data in found.items():
                    (case.folder / kind).write_bytes(data)
                print(f"rewritten: {name}")


if __name__ == "__main__":
    main(sys.argv[1:])

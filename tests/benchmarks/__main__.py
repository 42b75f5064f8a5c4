"""`make bench`: rows per second and memory of the line, beside a raw floor and a per-row baseline, in one run.

Each contestant gets a fresh process and a copy of the same database.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks.data import make_database, make_file
from tests.benchmarks.goals import judge
from tests.benchmarks.line import WORKERS
from tests.benchmarks.table import show

_BUILD = Path(__file__).parents[2] / "build"
_PER_ROW = 20_000
_PUSHES = 5000
_SIGNED = 3000
_LINKS = 2000
_BACKLOG = 10_000


def main() -> None:
    """Make the data, let every contestant run, print and store the figures."""
    options = _options()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.json.parent, prefix="bench-") as folder:
        figures = _measure(Path(folder), options.records, shuffled=options.shuffled)
    with tempfile.TemporaryDirectory(dir=options.json.parent, prefix="bench-") as folder:
        if options.large > 1:
            figures["large"] = _memory(Path(folder), options.records * options.large)
    goals = judge(figures)
    options.json.write_text(json.dumps(figures | {"goals": [asdict(goal) for goal in goals]}, indent=2) + "\n")
    show(figures, goals)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="how many passes, and rows of the file")
    parser.add_argument("--large", type=int, default=5, help="times as many rows to see how memory grows; 1 = skip it")
    parser.add_argument("--shuffled", action="store_true", help="rows in no order, instead of in that of the passes")
    parser.add_argument("--json", type=Path, default=_BUILD / "bench.json", help="where the figures are stored")
    return parser.parse_args()


def _measure(folder: Path, rows: int, *, shuffled: bool) -> dict[str, Any]:
    console = Console(stderr=True)
    database, file = folder / "base.db", folder / "members.csv"
    with console.status(f"making {rows:,} passes"):
        make_database(database, rows)
        make_file(file, rows, shuffled=shuffled)
    figures: dict[str, Any] = {"rows": rows, "workers": WORKERS, "shuffled": shuffled}
    few = min(rows, _PER_ROW)
    result = str(folder / "result.csv")
    for name, arguments in (
        ("floor", ["flatfile.db", str(file), result]),
        ("per_row", ["flatfile.db", str(file), result, str(few)]),
        ("line", [".", str(rows)]),
        ("memory", [".", str(rows), "together"]),
        ("busy", [".", str(rows)]),
    ):
        with console.status(name), tempfile.TemporaryDirectory(dir=folder) as place:
            shutil.copyfile(database, Path(place) / "flatfile.db")
            shutil.copyfile(file, Path(place) / file.name)
            figures[name] = _run("line" if name == "memory" else name, arguments, Path(place))
    with console.status("pushes"):
        figures["pushes"] = _run("pushes", [str(_PUSHES)], folder)
    with console.status("signing"):
        figures["signing"] = _run("signing", [str(_SIGNED)], folder)
    with console.status("google"):
        figures["google"] = _run("google", [str(_LINKS), str(_BACKLOG)], folder)
    figures["floor"]["rows_per_second"] = rows / figures["floor"]["seconds"]
    figures["per_row"]["rows_per_second"] = few / figures["per_row"]["seconds"]
    return figures


def _memory(folder: Path, rows: int) -> dict[str, Any]:
    """Return what the line holds in memory with many more rows."""
    with Console(stderr=True).status(f"making {rows:,} passes, then their line"):
        make_database(folder / "flatfile.db", rows)
        make_file(folder / "members.csv", rows)
        return {"rows": rows, **_run("line", [".", str(rows), "together"], folder)}


def _run(name: str, arguments: list[str], place: Path) -> Any:
    """Return what a contestant printed; it runs in its own folder."""
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(_BUILD.parent)}
    done = subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()

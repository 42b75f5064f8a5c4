"""A golden case: a file of `sample_files/`, and what its sidecar of the same name (`.toml`) says about the drop.

The file is one as a partner sends it: `.csv`, or `.csv.gz` and its like.

Keys of a sidecar, all optional:

    feed = "corrections"          the feed's folder the file is put in; "" = the inbox itself (default: FEEDS)
    zone = "dryrun"               instead of "inbox"
    name = "{before}.rejects.csv" another name for the upload; {before} = result name of the last file before it
    ending = "removed"            after the close: "removed" or "overwritten"; instead of a close: "lost"
    guards = { ... }              limits of the feed's guards, lowered so that a short file reaches them
    notifications = { ... }       when the feed's messages go, and how many, as in `project.toml`
    limits = { ... }              other settings of the feed, likewise
    layers = { ... }              limits of the feed's layers, likewise
    then = "released"             what an operator does with the held drop
    removed_passes = [ids]        passes that somebody removes while the drop is held
    erased = ["kind=value"]       people who are erased before the file comes
    stretch = 1200000             `@LONG@` in the file stands for that many letters
    compare = ["issues.csv"]      compare these artefacts only (the big sample)

    [[before]]                    files of the same partner that came before: `file` (beside this one) or `text`,
    [[meanwhile]]                 `feed`, `zone`; `meanwhile` = while the drop is held
"""

import gzip
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.golden.seeding import SAMPLES

FEEDS = {"loyalty": "members", "events": "tickets"}
LONG = b"@LONG@"


@dataclass(frozen=True)
class Case:
    path: Path
    sidecar: dict[str, Any] = field(default_factory=dict)

    @property
    def project(self) -> str:
        return self.path.parent.name

    @property
    def name(self) -> str:
        return f"{self.project}/{stem(self.path)}"

    @property
    def folder(self) -> Path:
        return self.path.with_name(f"{stem(self.path)}.expected")

    @property
    def feed(self) -> str:
        return self.sidecar.get("feed", FEEDS[self.project])

    @property
    def data(self) -> bytes:
        return self.path.read_bytes().replace(LONG, self._long)

    @property
    def content(self) -> bytes:
        """What the lines and the rejects of the case are about."""
        return gzip.decompress(self.data) if self.path.suffix == ".gz" else self.data

    def folded(self, artefact: bytes) -> bytes:
        """Return an artefact with the long run as short as it is in the file."""
        return artefact.replace(self._long, LONG) if self._long else artefact

    @property
    def _long(self) -> bytes:
        return b"x" * self.sidecar.get("stretch", 0)

    def expected(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("*"))}

    def compared(self, artefacts: dict[str, bytes]) -> dict[str, bytes]:
        """Return what of the artefacts is compared and kept."""
        kept = self.sidecar.get("compare", list(artefacts))
        return {name: self.folded(data) for name, data in artefacts.items() if name in kept}


def find(name: str) -> Case:
    [path] = [path for path in SAMPLES.glob(f"{name}.csv*") if stem(path) == name.split("/")[1]]
    sidecar = path.with_name(f"{stem(path)}.toml")
    return Case(path, tomllib.loads(sidecar.read_text()) if sidecar.is_file() else {})


def names() -> list[str]:
    """Return the name of every case: each sample file but the existing passes and the files other cases mention."""
    paths = sorted(path for path in SAMPLES.glob("*/*.csv*") if path.name != "passes.csv")
    return [f"{path.parent.name}/{stem(path)}" for path in paths]


def stem(path: Path) -> str:
    """Return the name of a sample file without `.csv` and what follows it."""
    return path.name.rsplit(".csv", 1)[0]

"""The example at the end of README.md: what the demo's file really gives, made by walking the line."""

import asyncio
import csv
import io
import tempfile
from pathlib import Path
from typing import Final

import orjson

from flatfile_sync.spool.local import Spool
from tests.golden.cases import find
from tests.golden.stores import Stores
from tests.golden.walking import walk

README: Final = Path(__file__).parents[2] / "README.md"
_BEGIN, _END = "<!-- example: made by `make generate` -->\n", "<!-- end of example -->\n"
_SHOWN: Final = ("verdict", "counts", "codes", "deliveries")


def files() -> dict[Path, bytes]:
    """Return README.md with the example as it is now; the section is added if it is missing."""
    text = README.read_text(encoding="utf-8")
    before, found, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2] if found else ""
    head = before if found else before.rstrip("\n") + "\n\n## What comes back\n\n"
    return {README: (head + _BEGIN + _example(asyncio.run(_artefacts())) + _END + after).encode()}


async def _artefacts() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Stores(folder).open("loyalty", folder / "walk.db")
        try:
            return await walk(find("loyalty/members"), store, Spool(folder / "spool"))
        finally:
            store.close()


def _example(artefacts: dict[str, bytes]) -> str:
    """Return one line of each status, and the records with issues of three kinds, of the demo's file."""
    rows = list(csv.reader(io.StringIO(artefacts["result.csv"].decode(), newline="")))
    status, codes = rows[0].index("_status"), rows[0].index("_codes")
    chosen = {}
    for row in rows[1:]:
        chosen.setdefault((row[status], row[codes] if row[codes] in {"", "V06", "V09"} else "other"), row)
    target = io.StringIO(newline="")
    csv.writer(target, lineterminator="\n").writerows([rows[0], *sorted(chosen.values(), key=lambda row: int(row[0]))])
    summary = orjson.loads(artefacts["summary.json"])
    summary["codes"] = {code: entry["count"] for code, entry in summary["codes"].items()}
    short = ",\n".join(f'  "{key}": {orjson.dumps(summary[key]).decode()}' for key in _SHOWN)
    return (
        "From the `result.csv` of `sample_files/loyalty/members.csv`, one row per record of the file:\n\n"
        f"```csv\n{target.getvalue()}```\n\n"
        "From its `summary.json` (`codes` shortened to their counts):\n\n"
        f"```json\n{{\n{short}\n}}\n```\n"
    )

"""The existing passes of an example project, from `sample_files/<project>/passes.csv`, into a store."""

import csv
from pathlib import Path

import orjson

from flatfile_sync.daemon.projects import read_project
from flatfile_sync.domain.project import Cardinality, Project
from flatfile_sync.pipeline.values import check_column
from flatfile_sync.store import identifiers, passes
from flatfile_sync.store.database import Store
from flatfile_sync.store.passes import PassRow

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_files"
SCHEMAS = ROOT / "schemas"


def seed(store: Store, name: str) -> None:
    """Store the passes of an example project."""
    project = read_project(SCHEMAS / name)
    with (SAMPLES / name / "passes.csv").open(encoding="utf-8", newline="") as handle:
        lines = list(csv.DictReader(handle))
    documents = _documents(lines, project)

    def work(conn):
        rows = [
            PassRow(
                no=0,
                id=line["id"],
                project=name,
                pass_type=line["passType"],
                status="active",
                revision=1,
                document=orjson.dumps(document).decode(),
                expires_at=None,
                writers="{}",
                apple=int(line["apple"]),
                google=int(line["google"]),
                modified_at=0,
            )
            for line, document in zip(lines, documents, strict=True)
        ]
        created = passes.create_many(conn, rows, tag=0, created_at=0)
        owned = [
            (name, kind.name, value, row.pass_type if kind.cardinality is Cardinality.UNIQUE else row.id, row.no)
            for row, line in zip(created, lines, strict=True)
            for kind in project.model.identifiers
            if (value := line[f"id.{kind.name}"])
        ]
        identifiers.insert_many(conn, owned)

    store.write_now(work)


def _documents(lines: list[dict[str, str]], project: Project) -> list[dict[str, object]]:
    documents: list[dict[str, object]] = [{} for _ in lines]
    for field in project.model.fields:
        cells = list(dict.fromkeys(line[field.name] for line in lines if line.get(field.name)))
        values, wrong = check_column(field, cells)
        assert not wrong, f"{field.name}: {[cells[place] for place in wrong]} in the sample passes"
        known = dict(zip(cells, values, strict=True))
        for line, document in zip(lines, documents, strict=True):
            if line.get(field.name):
                document[field.target] = known[line[field.name]]
    return documents

"""The per-row baseline: what most programs do. One pydantic model per row, one ORM read and update per row.

    python -m tests.benchmarks.per_row DATABASE CSV RESULT ROWS

Same database, same durability; a commit per 10,000 rows, so that it is not the disk that is measured.
"""

import csv
import itertools
import json
import sys
import time
from datetime import date
from decimal import Decimal
from typing import Literal

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session, registry

from flatfile_sync.store import sqlite
from flatfile_sync.store.tables import deliveries, identifiers, passes

_COMMIT_EVERY = 10_000
mapper = registry()


class Row(BaseModel):
    """A row of the file."""

    member: str = Field(alias="id.memberId", pattern=r"^M[0-9]{7}$")
    points: int = Field(alias="additionalData.points", ge=0)
    tier: Literal["Bronze", "Silver", "Gold", "Platinum"] = Field(alias="additionalData.tier")
    balance: Decimal = Field(alias="additionalData.balance", ge=0)
    expires: date = Field(alias="additionalData.expiryDate")
    vip: bool = Field(alias="additionalData.vip")
    source: str = Field(alias="metadata.source", max_length=40)


class Pass:
    """A row of `passes` as an object."""


class Delivery:
    """A row of `deliveries` as an object."""


mapper.map_imperatively(Pass, passes)
mapper.map_imperatively(Delivery, deliveries)


def main(database: str, source: str, target: str, rows: str) -> None:
    """Take the first rows of the file and print how long they took."""
    engine = sqlite.open_for_writing(sa.engine.make_url(f"sqlite:///{database}"))
    count = int(rows)
    started = time.perf_counter()
    with open(source, newline="") as lines, open(target, "w", newline="") as results:  # noqa: PTH123 - as in floor
        writer = csv.writer(results, lineterminator="\n")
        reader = itertools.islice(csv.DictReader(lines), count)
        while chunk := list(itertools.islice(reader, _COMMIT_EVERY)):
            with Session(engine) as session:
                for entry in chunk:
                    writer.writerow(_apply(session, Row.model_validate(entry)))
                session.commit()
    print(json.dumps({"rows": count, "seconds": time.perf_counter() - started}))
    engine.dispose()


def _apply(session: Session, row: Row) -> tuple[str, str, str]:
    owner = sa.select(identifiers.c.pass_no).where(
        identifiers.c.project == "bench", identifiers.c.kind == "memberId", identifiers.c.value == row.member
    )
    found = session.scalars(sa.select(Pass).where(passes.c.no == owner.scalar_subquery())).one()
    before = json.loads(found.document)
    asked = json.loads(row.model_dump_json(by_alias=True, exclude={"member"}))
    asked["additionalData.balance"] = format(row.balance.normalize(), "f")
    changed = [key for key, value in asked.items() if before.get(key) != value]
    if changed:
        found.document = json.dumps(before | asked)
        found.revision += 1
        session.add(_owed(found))
        session.flush()
    return row.member, "applied" if changed else "unchanged", " ".join(changed)


def _owed(found: Pass) -> Delivery:
    owed = Delivery()
    owed.project, owed.pass_no, owed.platform = "bench", found.no, "apple" if found.apple else "google"
    owed.kind, owed.revision, owed.lane, owed.drop_id, owed.state = "content", found.revision, 2, "per-row", "due"
    owed.due_at = found.created_at
    return owed


if __name__ == "__main__":
    main(*sys.argv[1:])

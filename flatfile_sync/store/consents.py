"""Opt-ins and opt-outs with their proof; the latest `at` wins."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.store.dialects import key_set
from flatfile_sync.store.tables import consents

Subject = tuple[str, str]
"""(the `person` identifier kind or `pass`, its value)."""


class ConsentRow(NamedTuple):
    """One statement of a subject about a purpose."""

    project: str
    subject_kind: str
    subject: str
    purpose: str
    granted: bool
    at: datetime
    source: str | None
    proof: str | None
    drop_id: str | None
    record: int | None
    recorded_at: datetime
    wording: str | None = None
    """The version of the text that was agreed to."""


def record_many(conn: Connection, rows: Sequence[ConsentRow]) -> None:
    """Store statements; one of the same (drop, record, purpose) is stored once."""
    if not rows:
        return
    drop_ids = sorted({row.drop_id for row in rows if row.drop_id is not None})
    records = [row.record for row in rows if row.record is not None]
    known = {
        (drop_id, record, purpose)
        for drop_id, record, purpose in conn.execute(
            sa.select(consents.c.drop_id, consents.c.record, consents.c.purpose).where(
                consents.c.drop_id.in_(drop_ids),
                consents.c.record.in_(sa.select(key_set(conn, records, kind=int).c.value)),
            )
        )
    }
    fresh = [row._asdict() for row in rows if (row.drop_id, row.record, row.purpose) not in known]
    if fresh:
        conn.execute(sa.insert(consents), fresh)


def granted(
    conn: Connection, project: str, subjects: Sequence[Subject], purpose: str, *, besides: Sequence[ConsentRow] = ()
) -> dict[Subject, bool]:
    """Return what each subject said last about a purpose; one that never said anything is not in the answer.

    `besides` are statements that may not be stored: a dry run stores none.
    """
    if not subjects:
        return {}
    values = key_set(conn, sorted({value for _, value in subjects}), kind=str)
    query = sa.select(consents.c.subject_kind, consents.c.subject, consents.c.at, consents.c.granted).where(
        consents.c.project == project,
        consents.c.purpose == purpose,
        consents.c.subject_kind.in_(sorted({kind for kind, _ in subjects})),
        consents.c.subject.in_(sa.select(values.c.value)),
    )
    statements = [(row.at, not row.granted, (row.subject_kind, row.subject)) for row in conn.execute(query)]
    statements += [
        (row.at, not row.granted, (row.subject_kind, row.subject)) for row in besides if row.purpose == purpose
    ]
    asked = set(subjects)
    # Of two statements of the same moment the opt-out wins: it is read last.
    return {subject: not refused for _, refused, subject in sorted(statements) if subject in asked}


def of_subject(conn: Connection, project: str, subject: Subject) -> list[ConsentRow]:
    """Return everything a subject said, in the order of its moments."""
    kind, value = subject
    columns = [consents.c[name] for name in ConsentRow._fields]
    chosen = (consents.c.project == project) & (consents.c.subject_kind == kind) & (consents.c.subject == value)
    rows = conn.execute(sa.select(*columns).where(chosen).order_by(consents.c.at, consents.c.id))
    return [ConsentRow._make(row) for row in rows]


def forget_erased(conn: Connection, project: str, *, before: datetime) -> int:
    """Forget what people said who were erased before a moment; return how many statements."""
    return conn.execute(
        sa.delete(consents).where(consents.c.project == project, consents.c.erased_at < before)
    ).rowcount


def projects_of_erased(conn: Connection) -> list[str]:
    """Return the projects that keep statements of people who were erased."""
    query = sa.select(consents.c.project).where(consents.c.erased_at.is_not(None)).distinct()
    return sorted(conn.execute(query).scalars())

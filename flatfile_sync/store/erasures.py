"""Who was erased, as digests; and everything of passes that has to do with a person, taken out of every table."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from flatfile_sync.domain.states import ERASED, DeliveryKind, DeliveryState, Outcome, Platform
from flatfile_sync.domain.tombstones import SALT_BYTES, Key, Tombstones, digest
from flatfile_sync.store import passes as stored
from flatfile_sync.store.dialects import is_sqlite, key_set, next_tag
from flatfile_sync.store.tables import consents, deliveries, identifiers, micros, passes
from flatfile_sync.store.wallet_tables import (
    carried_messages,
    erasure_salts,
    erasures,
    links,
    notices,
    platform_memories,
    registrations,
)

REASON = "the holder was erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How much was removed; `consents` are statements whose proof is kept."""

    passes: int
    identifiers: int
    devices: int
    links: int
    messages: int
    consents: int


def tombstones(conn: Connection, project: str) -> Tombstones | None:
    """Return the erased of a project, None if there are none."""
    salt = _salt(conn, project)
    if salt is None:
        return None
    query = sa.select(erasures.c.digest).where(erasures.c.project == project)
    return Tombstones(salt, frozenset(conn.execute(query).scalars()))


def remember(conn: Connection, project: str, keys: Sequence[Key], *, now: datetime) -> None:
    """Keep tombstones of identifiers."""
    conn.execute(
        _insert(conn, erasure_salts)
        .values(project=project, salt=secrets.token_bytes(SALT_BYTES))
        .on_conflict_do_nothing()
    )
    salt = _salt(conn, project) or b""
    rows = [{"project": project, "kind": key[0], "digest": digest(salt, key), "at": now} for key in keys]
    if rows:
        conn.execute(_insert(conn, erasures).on_conflict_do_nothing(), rows)


def readmit(conn: Connection, project: str, key: Key) -> bool:
    """Forget the tombstone of an identifier; return whether there was one."""
    salt = _salt(conn, project)
    if salt is None:
        return False
    chosen = (erasures.c.project == project) & (erasures.c.kind == key[0]) & (erasures.c.digest == digest(salt, key))
    return conn.execute(sa.delete(erasures).where(chosen)).rowcount > 0


def remove(
    conn: Connection, project: str, pass_nos: Sequence[int], subjects: Sequence[tuple[str, str]], *, now: datetime
) -> Removed:
    """Take everything that has to do with a person out of their passes, which stay as empty rows.

    Their devices are unregistered and their links called back. Statements of the `subjects` about consent stay, marked.
    """

    def out(table: sa.Table) -> int:
        return conn.execute(sa.delete(table).where(table.c.pass_no.in_(_numbers(conn, pass_nos)))).rowcount

    stored.touch_many(conn, pass_nos, tag=next_tag(conn), now=micros(now))
    emptied = {"status": ERASED, "document": "{}", "expires_at": None, "apple": 0}
    conn.execute(sa.update(passes).where(passes.c.no.in_(_numbers(conn, pass_nos))).values(**emptied))
    conn.execute(
        sa.delete(platform_memories).where(
            platform_memories.c.platform == Platform.APPLE,
            platform_memories.c.pass_no.in_(_numbers(conn, pass_nos)),
        )
    )
    out(carried_messages)
    out(notices)
    return Removed(
        passes=len(pass_nos),
        identifiers=out(identifiers),
        devices=out(registrations),
        links=out(links),
        messages=_silence(conn, pass_nos, now),
        consents=sum(_mark(conn, project, subject, now) for subject in subjects),
    )


def _silence(conn: Connection, pass_nos: Sequence[int], now: datetime) -> int:
    """Settle what is still open of passes, and forget the texts of their messages; return how many had one."""
    of_passes = deliveries.c.pass_no.in_(_numbers(conn, pass_nos))
    for kind in DeliveryKind:
        # Literals, so that SQLite finds the partial index of the kind.
        condition = sa.text(f"deliveries.kind = '{kind.value}' AND deliveries.state <> '{DeliveryState.SETTLED.value}'")
        values = {"state": DeliveryState.SETTLED, "outcome": Outcome.OVERTAKEN, "settled_at": now, "reason": REASON}
        conn.execute(sa.update(deliveries).where(condition, of_passes).values(**values))
    told = sa.text(f"deliveries.kind = '{DeliveryKind.MESSAGE.value}'")
    statement = sa.update(deliveries).where(told, of_passes, deliveries.c.texts.is_not(None))
    return conn.execute(statement.values(texts=None)).rowcount


def _mark(conn: Connection, project: str, subject: tuple[str, str], now: datetime) -> int:
    """Mark what a subject said as that of somebody erased, and let an opt-out be its last word; return how many."""
    kind, value = subject
    chosen = (consents.c.project == project) & (consents.c.subject_kind == kind) & (consents.c.subject == value)
    purposes = list(conn.execute(sa.select(consents.c.purpose).where(chosen).distinct()).scalars())
    marked = conn.execute(sa.update(consents).where(chosen).values(erased_at=now)).rowcount
    for purpose in purposes:
        said = {"subject_kind": kind, "subject": value, "purpose": purpose, "granted": False, "at": now}
        conn.execute(
            sa.insert(consents).values(project=project, **said, source="erasure", recorded_at=now, erased_at=now)
        )
    return marked


def _numbers(conn: Connection, pass_nos: Sequence[int]) -> sa.Select[int]:
    return sa.select(key_set(conn, pass_nos, kind=int).c.value)


def _salt(conn: Connection, project: str) -> bytes | None:
    query = sa.select(erasure_salts.c.salt).where(erasure_salts.c.project == project)
    return conn.execute(query).scalar_one_or_none()


def _insert(conn: Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if is_sqlite(conn) else postgresql.insert(table)

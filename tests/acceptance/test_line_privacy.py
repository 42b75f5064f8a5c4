"""A value of a `pii` field is in no log line, issue, audit line, acknowledgement or summary, whatever is wrong."""

import csv
import io
import logging
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from flatfile_sync.domain import faults
from flatfile_sync.domain.project import Cardinality, Constraints, DataModel, Feed, IdentifierKind, OnError
from flatfile_sync.domain.states import Operation
from flatfile_sync.pipeline.line import advance
from flatfile_sync.store import drops, tables
from tests.builders import field, loyalty
from tests.builders import kit as make_kit
from tests.line import ResultSet, receive, run, sandboxes, seed

CANARY = "kanarienvogel"
# Machine columns: exact, so that they join (file contract, section 7).
EXACT = {"_key", "_echo", "_pass_id"}


def personal(kind="string", **constraints):
    name = f"additionalData.{kind}{len(constraints)}{''.join(constraints)}"
    return field(name, kind, pii=True, constraints=Constraints(**constraints))


MESSAGE = "id.memberId,op,notification.message,consent.marketing,consent.marketing.proof,_ref\n"
FIELDS = (
    *(personal(kind) for kind in ("integer", "number", "boolean", "date", "datetime", "time", "year")),
    personal(max_length=2),
    personal(min_length=99),
    personal(pattern="[0-9]+"),
    personal(enum=("Anna", "Berta")),
    personal(unique=True),
    personal("date", minimum="2020-01-01"),
    field("additionalData.mail", format="email", pii=True),
    field("additionalData.dropped", "integer", pii=True, on_error=OnError.DROP),
)
IDENTIFIERS = (
    IdentifierKind(name="memberId"),
    IdentifierKind(name="phone", pii=True, pattern=r"\+[0-9]+"),
    IdentifierKind(name="passport", pii=True),
    IdentifierKind(name="email", cardinality=Cardinality.SHARED, person=True),
)


@pytest.fixture
def kit(store, spool, clock):
    writable = ("additionalData.*", "set.id.*", "notification.*", "consent.*", "op")
    operations = tuple(Operation)
    feed = Feed(name="all", writable=writable, allowed_operations=operations, pass_type="card", echo="_ref")
    kit = make_kit(store, spool, clock=clock, platforms=sandboxes())
    guards = loyalty().feeds[0].guards
    model = DataModel(fields=FIELDS, identifiers=IDENTIFIERS)
    kit.projects.projects["loyalty"] = loyalty(Feed(**{**as_words(feed), "guards": guards}), model=model)
    return kit


def as_words(feed):
    return {name: getattr(feed, name) for name in feed.__dataclass_fields__}


def table(*columns):
    """Return a file of one column of canaries after the other, each in a record of its own, and some more."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("id.memberId", *columns))
    for place, _ in enumerate(columns):
        writer.writerow(("1", *(CANARY if place == other else "" for other, _ in enumerate(columns))))
    return out.getvalue()


def everything_told(kit, *found):
    """Return all text that somebody else than the partner's machine reads."""
    for drop in found:
        result = ResultSet(kit, drop)
        for kind in ("result.csv", "issues.csv", "delivery.csv"):
            if kind in result.raw:
                for row in result.table(kind):
                    yield f"{kind}: { {name: value for name, value in row.items() if name not in EXACT} }"
        for kind, data in result.raw.items():
            if kind.endswith(".json"):
                yield f"{kind}: {data.decode()}"

    def rows(conn):
        audit = conn.execute(sa.select(tables.audit.c.event, tables.audit.c.details)).all()
        noted = conn.execute(sa.select(tables.drops.c.reason, tables.drops.c.last_error)).all()
        sent = [
            *conn.execute(sa.select(tables.attempts.c.detail)),
            *conn.execute(sa.select(tables.deliveries.c.reason)),
        ]
        return [*audit, *noted, *sent]

    yield from map(str, kit.store.read_now(rows))


async def test_no_wrong_cell_shows_a_personal_value(kit, caplog):
    seed(kit, ({"memberId": "1", "phone": "+1"}, {}), ({"memberId": "2", "passport": f"{CANARY}2"}, {}))
    texts = [
        table(*(one.name for one in FIELDS)),
        # The same value twice where it must be unique.
        f"id.memberId,additionalData.string1unique\n1,{CANARY}\n1,{CANARY}\n",
        # Identifiers: not found, damaged, in disagreement, taken, corrected to nonsense, of several passes.
        f"id.phone,id.passport,id.email,op\n{CANARY},,,\n,{CANARY},,\n,,{CANARY},\n+1,{CANARY}2,,\n,{CANARY}2,,create\n",
        f"id.memberId,set.id.passport,set.id.phone\n1,{CANARY}2,\n1,,{CANARY}\n",
        f"id.passport,id.email,op\n{CANARY}3,{CANARY},upsert\n{CANARY}4,{CANARY},upsert\n,{CANARY},update\n",
        # Damaged records, messages, consent, an echoed reference.
        f'id.memberId,additionalData.mail\n1,{CANARY}"x\n1,{CANARY},{CANARY}\n1,{CANARY}\x00\n1,{CANARY}\r{CANARY}\n',
        MESSAGE + f"1,notify,{CANARY},yes,{CANARY},{CANARY}\n",
        # No header at all: the first record stands in its place; and a header with a personal value beside it.
        f"1,{CANARY},{CANARY}\n2,x,y\n",
        f"{CANARY}\n",
        f'{CANARY};"{CANARY}\n',
        f'id.memberId,additionalData.mail\n1,"{CANARY}',
    ]
    caplog.set_level(logging.DEBUG)
    found = []
    with capture_logs() as logged:
        for text in texts:
            found.append(await run(kit, receive(kit, text, feed="all")))
            found.append(await run(kit, receive(kit, text, feed="all", dry_run=True)))
    assert {row["_code"] for drop in found for row in ResultSet(kit, drop).table("issues.csv")} >= {
        *("V01", "V04", "V05", "V06", "V07", "V09", "K02", "K03", "K04", "K05", "K07"),
        *("D02", "D03", "D04", "D05", "D08", "F03", "H01"),
    }
    for text in [*everything_told(kit, *found), *map(str, logged), caplog.text]:
        assert CANARY not in text.lower()


async def test_no_log_line_quotes_the_error_that_quotes_a_personal_value(kit, monkeypatch, caplog):
    seed(kit, ({"memberId": "1"}, {}))
    drop = receive(kit, f"id.memberId,additionalData.mail\n1,{CANARY}@x.example\n", feed="all")

    def quote(name):
        if name == "apply.inside_chunk":
            raise ValueError(f"cannot store {CANARY}@x.example")

    caplog.set_level(logging.DEBUG)
    with capture_logs() as logged:
        with monkeypatch.context() as patch:
            patch.setattr(faults, "hook", quote)
            for _ in range(kit.steps.last):
                await advance(drop.id, kit=kit)
                kit.clock.advance(timedelta(hours=1))
        stuck = kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))
    assert [line["event"] for line in logged][-2:] == ["step_failed", "drop_stuck"]
    assert "ValueError" in logged[-2]["trail"]
    for text in [*everything_told(kit, stuck), *map(str, logged), caplog.text]:
        assert CANARY not in text.lower()


async def test_no_database_error_quotes_a_personal_value(kit, monkeypatch, caplog):
    seed(kit, ({"memberId": "1", "passport": CANARY}, {}))
    drop = receive(kit, f"id.passport,op\n{CANARY}x,upsert\n", feed="all")
    monkeypatch.setattr("flatfile_sync.pipeline.writing.identifiers.insert_many", _insert_again)
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logged:
        await advance(drop.id, kit=kit)
    failed = kit.store.read_now(lambda conn: drops.by_id(conn, drop.id))
    assert failed.last_error in {"IntegrityError", "UniqueViolation"}
    for text in [*everything_told(kit, failed), *map(str, logged), caplog.text]:
        assert CANARY not in text.lower()


def _insert_again(conn, _rows):
    values = {"project": "loyalty", "kind": "passport", "value": CANARY, "scope": "card", "pass_no": 1}
    conn.execute(sa.insert(tables.identifiers).values(**values))

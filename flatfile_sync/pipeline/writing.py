"""What a merged chunk writes, and what may have changed since the drop was planned. Called inside its transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.issues import MASK, Issue
from flatfile_sync.domain.project import Cardinality, Feed, IdentifierKind, Project
from flatfile_sync.domain.states import Lane, Operation
from flatfile_sync.pipeline import messages
from flatfile_sync.pipeline.linking import Linker, link_many
from flatfile_sync.pipeline.merging import Order, Outcome, Owing
from flatfile_sync.pipeline.resolving import erasure_issue
from flatfile_sync.pipeline.subjects import person_kind, subjects_of
from flatfile_sync.store import consents, deliveries, erasures, identifiers, passes
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.passes import Rewrite
from flatfile_sync.store.tables import micros

_LANES = {"operational": Lane.OPERATIONAL, "bulk": Lane.BULK}


class Statement(NamedTuple):
    """What a record says about consent, applied or not; `pass_no` 0 = it named no pass."""

    record: int
    pass_no: int
    pass_id: str
    key_type: str | None
    key: str | None
    ids: Mapping[str, str]
    consents: Sequence[Mapping[str, Any]]


def consents_of(
    conn: Connection, statements: Sequence[Statement], *, drop: Drop, project: Project, now: datetime
) -> list[consents.ConsentRow]:
    """Return opt-ins and opt-outs whose subject can be read, also those of rejected and superseded records."""
    rows: list[consents.ConsentRow] = []
    if not statements:
        return rows
    person = person_kind(project) or ""
    owners = subjects_of(conn, [(told.pass_no, told.pass_id) for told in statements if told.pass_no > 0], project)
    for told in statements:
        subject = owners.get(told.pass_no)
        if subject is None and person in told.ids:
            subject = (person, told.ids[person])
        elif subject is None and person and told.key_type == f"id.{person}" and told.key:
            subject = (person, told.key)
        elif subject is None and told.pass_no < 0:
            subject = ("pass", told.pass_id)
        if subject is None:
            continue
        for entry in told.consents:
            at = entry.get("at")
            rows.append(
                consents.ConsentRow(
                    project=project.name,
                    subject_kind=subject[0],
                    subject=subject[1],
                    purpose=entry["purpose"],
                    granted=entry["granted"],
                    at=datetime.fromisoformat(at) if at else drop.received_at,
                    source=entry.get("source"),
                    proof=entry.get("proof"),
                    wording=entry.get("wording"),
                    drop_id=drop.id,
                    record=told.record,
                    recorded_at=now,
                )
            )
    return rows


def settle_creations(
    conn: Connection, orders: Sequence[Order], project: Project
) -> tuple[list[Order], dict[int, Issue]]:
    """Turn creations whose identifier was taken since plan into updates, or into issues where they must create.

    Two feeds may have planned the same new pass at once; the second finds it here.
    """
    creators = [order for order in orders if order.pass_no < 0 and order.ids]
    owners = _owners_by_now(conn, creators, project)
    refused = _erased_by_now(conn, creators, project)
    if not owners:
        return list(orders), refused
    known = {row.no: row for row in passes.load_many(conn, sorted(set().union(*owners.values())))}
    settled: list[Order] = []
    for order in orders:
        found = owners.get(order.pass_no)
        if found is None:
            settled.append(order)
            continue
        words = " and ".join(f"id.{name}" for name in order.ids) or "its identifier"
        if len(found) > 1:
            refused[order.record] = issue("K04", record=order.record, key=words)
        elif order.op == Operation.CREATE:
            refused[order.record] = issue("K05", record=order.record, key=words)
        row = known[min(found)]
        settled.append(order._replace(pass_no=row.no, pass_id=row.id, ids={}))
    return settled, refused


def _erased_by_now(conn: Connection, creators: Sequence[Order], project: Project) -> dict[int, Issue]:
    """Return K08 for each record that would create a pass for somebody who was erased since plan."""
    if not creators:
        return {}
    erased = erasures.tombstones(conn, project.name)
    found = {
        order.record: erasure_issue(
            [(f"id.{kind}", value) for kind, value in order.ids.items()], erased, project, record=order.record
        )
        for order in creators
    }
    return {record: problem for record, problem in found.items() if problem is not None}


def _owners_by_now(conn: Connection, creators: Sequence[Order], project: Project) -> dict[int, set[int]]:
    """Return negative pass number -> the passes that carry one of its unique identifiers by now."""
    owners: dict[int, set[int]] = defaultdict(set)
    for kind in project.model.identifiers:
        wanted = [order for order in creators if kind.name in order.ids]
        if kind.cardinality is not Cardinality.UNIQUE or not wanted:
            continue
        taken = identifiers.taken(conn, project.name, kind.name, sorted({order.ids[kind.name] for order in wanted}))
        for order in wanted:
            found = taken.get((order.ids[kind.name], order.pass_type or ""))
            if found is not None:
                owners[order.pass_no].add(found)
    return owners


def without_equal_corrections(conn: Connection, orders: Sequence[Order]) -> list[Order]:
    """Return the orders without corrections to the value a pass already has: those change nothing."""
    correcting = sorted({order.pass_no for order in orders if order.extra.get("set_ids")})
    if not correcting:
        return list(orders)
    current = {(number, kind, value) for number, kind, value in identifiers.of_passes(conn, correcting)}
    settled = []
    for order in orders:
        asked: dict[str, str] = order.extra.get("set_ids", {})
        new = {kind: value for kind, value in asked.items() if (order.pass_no, kind, value) not in current}
        if new == asked:
            settled.append(order)
        else:
            rest = {name: value for name, value in order.extra.items() if name != "set_ids"}
            settled.append(order._replace(extra=rest | ({"set_ids": new} if new else {})))
    return settled


def refused_corrections(conn: Connection, orders: Sequence[Order], project: Project) -> dict[int, Issue]:
    """Return K07 for each record whose corrected identifier belongs to a pass that keeps it.

    A swap is allowed: a value is free if its owner gives it up in the same chunk. One refusal may keep a value where
    it is, so the check is repeated until nothing changes.
    """
    asked: dict[tuple[str, str, str], list[Order]] = defaultdict(list)
    for order in orders:
        for kind, value in order.extra.get("set_ids", {}).items():
            asked[kind, value, order.pass_type or ""].append(order)
    refused: dict[int, Issue] = {}
    for kind in project.model.identifiers:
        if kind.cardinality is not Cardinality.UNIQUE:
            continue
        wanted = {(value, scope): found for (name, value, scope), found in asked.items() if name == kind.name}
        if not wanted:
            continue
        taken = {
            **_born_with(kind.name, orders),
            **identifiers.taken(conn, project.name, kind.name, sorted({value for value, _ in wanted})),
        }
        moving = {order.pass_no: place for place, found in wanted.items() for order in found}
        before = -1
        while before != len(refused):
            before = len(refused)
            for place, found in wanted.items():
                owner = taken.get(place)
                stays = owner is not None and moving.get(owner, place) == place
                claimants = {order.pass_no for order in found if order.record not in refused}
                for order in found:
                    # Two passes cannot both get the value: the first record has it.
                    later = len(claimants) > 1 and order.pass_no != found[0].pass_no
                    if order.record not in refused and ((stays and owner != order.pass_no) or later):
                        refused[order.record] = _taken(order, kind, place[0])
                        moving.pop(order.pass_no, None)
    return refused


def _born_with(kind: str, orders: Sequence[Order]) -> dict[tuple[str, str], int]:
    """Return (value, scope) -> number of the new passes of this chunk: theirs before any other can take them."""
    creators = [order for order in orders if order.pass_no < 0 and kind in order.ids]
    return {(order.ids[kind], order.pass_type or ""): order.pass_no for order in reversed(creators)}


def _taken(order: Order, kind: IdentifierKind, value: str) -> Issue:
    pii = kind.pii or kind.person
    key = f"id.{kind.name} = {MASK if pii else value}"
    return issue("K07", record=order.record, column=f"set.id.{kind.name}", value=value, pii=pii, key=key)


def write_outcome(
    conn: Connection,
    outcome: Outcome,
    due: Mapping[int, int],
    *,
    drop: Drop,
    feed: Feed,
    project: Project,
    linker: Linker | None,
    now: datetime,
) -> None:
    """Write passes, identifiers, links of new passes and deliveries owed.

    `due` is when the message of a record goes, in microseconds.
    """
    if outcome.rewrites or outcome.creations:
        tag = next_tag(conn)
        passes.rewrite_many(conn, outcome.rewrites, tag=tag)
        _create(conn, outcome, project, linker, tag=tag, now=now)
    if outcome.corrections:
        _correct(conn, outcome, project)
    _owe(conn, outcome.owed(), drop, feed, now)
    messages.owe(conn, outcome.messages, due, drop=drop, project=project, now=now)


def write_content(
    conn: Connection, rewrites: Sequence[Rewrite], owed: Sequence[Owing], *, drop: Drop, feed: Feed, now: datetime
) -> None:
    """Write passes back, and what their changes owe."""
    if rewrites:
        passes.rewrite_many(conn, rewrites, tag=next_tag(conn))
    _owe(conn, owed, drop, feed, now)


def _correct(conn: Connection, outcome: Outcome, project: Project) -> None:
    """Replace corrected identifiers in one phase: delete all, then insert all."""
    new: dict[tuple[str, int], tuple[str, str]] = {}
    for number, order in outcome.corrections:
        for kind, value in order.extra["set_ids"].items():
            found = project.model.identifier(kind)
            unique = found is not None and found.cardinality is Cardinality.UNIQUE
            new[kind, number] = (value, (order.pass_type if unique else order.pass_id) or "")
    identifiers.delete_many(conn, [(project.name, kind, number) for kind, number in new])
    identifiers.insert_many(
        conn, [(project.name, kind, value, scope, number) for (kind, number), (value, scope) in new.items()]
    )


def _create(
    conn: Connection, outcome: Outcome, project: Project, linker: Linker | None, *, tag: int, now: datetime
) -> None:
    if not outcome.creations:
        return
    created = passes.create_many(conn, [row for row, _, _ in outcome.creations], tag=tag, created_at=micros(now))
    made = link_many(conn, [row.no for row in created], linker=linker, now=now) if linker is not None else {}
    unique = {kind.name for kind in project.model.identifiers if kind.cardinality is Cardinality.UNIQUE}
    rows = []
    for row, (_, ids, records) in zip(created, outcome.creations, strict=True):
        rows += [
            (row.project, kind, value, row.pass_type if kind in unique else row.id, row.no)
            for kind, value in ids.items()
        ]
        for record in records:
            outcome.verdicts[record].pass_no = row.no
        outcome.verdicts[records[0]].link = made.get(row.no)
    identifiers.insert_many(conn, rows)


def _owe(conn: Connection, owed: Sequence[Owing], drop: Drop, feed: Feed, now: datetime) -> None:
    deliveries.owe_latest(conn, owed, project=drop.project, lane=_LANES[feed.lane], drop_id=drop.id, now=now)

"""Parcels: deliveries that were taken, with their passes, devices and consents as they are at this moment."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.engine import Connection

from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Project
from flatfile_sync.domain.states import DeliveryKind, DeliveryState, Lane, Outcome, Platform, Purpose, shown_status
from flatfile_sync.pipeline.gate import gate
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.subjects import subjects_of
from flatfile_sync.store import carried, consents, identifiers, memories, passes, registrations
from flatfile_sync.store.carried import Carried
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.platform import Parcel
from flatfile_sync.wallets.templates.showing import Message


@dataclass(slots=True)
class Packed:
    """What to send, and what settles without being sent."""

    parcels: list[Parcel] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    deferred: list[tuple[int, datetime]] = field(default_factory=list)
    """(delivery, moment) of messages whose hours have not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """What is known of the passes of a batch, by pass number."""

    rows: Mapping[int, PassRow]
    identifiers: Mapping[int, Mapping[str, str]]
    tokens: Mapping[int, tuple[str, ...]]
    memories: Mapping[int, Mapping[str, Any]]
    projects: Mapping[str, Project]
    agreeing: frozenset[int]


def pack(conn: Connection, taken: Sequence[Delivery], platform: Platform, *, kit: Kit) -> Packed:
    """Return the parcels of deliveries that were just taken, in their order; their messages are carried from now on."""
    around = _look(conn, taken, platform, kit)
    packed = Packed()
    going: list[Delivery] = []
    for delivery in taken:
        if delivery.purpose is Purpose.MARKETING and delivery.pass_no not in around.agreeing:
            packed.settled.append(Settlement(delivery_id=delivery.id, outcome=Outcome.NO_CONSENT))
        elif not _installed(around.rows[delivery.pass_no], platform):
            packed.settled.append(Settlement(delivery_id=delivery.id, outcome=Outcome.NOT_INSTALLED))
        else:
            going.append(delivery)
    asking = [delivery for delivery in going if delivery.kind is DeliveryKind.MESSAGE]
    gated = gate(conn, asking, around.rows, around.projects, platform=platform, now=kit.clock())
    packed.settled += gated.settled
    packed.deferred += gated.deferred
    let_go = {delivery.id for delivery in gated.through}
    sending = [entry for entry in going if entry.kind is not DeliveryKind.MESSAGE or entry.id in let_go]
    if sending:
        # As they are with the message they carry.
        numbers = sorted({delivery.pass_no for delivery in sending})
        rows = {row.no: row for row in passes.load_many(conn, numbers, erased=True)} if let_go else around.rows
        told = carried.of_passes(conn, numbers)
        packed.parcels += [
            _parcel(entry, rows[entry.pass_no], told.get(entry.pass_no), platform, around) for entry in sending
        ]
    return packed


def wrap(conn: Connection, row: PassRow, platform: Platform, *, kit: Kit) -> Parcel:
    """Return a pass as it is now in a parcel that nothing is owed by: for what a platform makes when it is asked to."""
    delivery = Delivery(
        id=0,
        project=row.project,
        pass_no=row.no,
        pass_id=row.id,
        pass_type=row.pass_type,
        platform=platform,
        kind=DeliveryKind.CONTENT,
        revision=row.revision,
        lane=Lane.TRANSACTIONAL,
        drop_id=None,
        record=None,
        state=DeliveryState.SENDING,
        attempts=0,
        due_at=kit.clock(),
    )
    told = carried.of_passes(conn, [row.no]).get(row.no)
    return _parcel(delivery, row, told, platform, _look(conn, [delivery], platform, kit))


def _installed(row: PassRow, platform: Platform) -> int:
    return row.apple if platform is Platform.APPLE else row.google


def _look(conn: Connection, taken: Sequence[Delivery], platform: Platform, kit: Kit) -> _Surroundings:
    numbers = sorted({delivery.pass_no for delivery in taken})
    named: dict[int, dict[str, str]] = defaultdict(dict)
    for number, kind, value in identifiers.of_passes(conn, numbers):
        named[number][kind] = value
    projects = _projects({delivery.project for delivery in taken}, kit)
    return _Surroundings(
        rows={row.no: row for row in passes.load_many(conn, numbers, erased=True)},
        identifiers=named,
        tokens=registrations.tokens_of(conn, numbers) if platform is Platform.APPLE else {},
        memories=memories.of_passes(conn, platform, numbers),
        projects=projects,
        agreeing=frozenset(_agreeing(conn, taken, projects)),
    )


def _projects(names: set[str], kit: Kit) -> dict[str, Project]:
    found = {}
    for name in names:
        try:
            found[name] = kit.projects.current(name)
        except ConfigurationError:
            continue  # its files are gone: nobody knows its templates, nor who a person is
    return found


def _parcel(
    delivery: Delivery, row: PassRow, told: Carried | None, platform: Platform, around: _Surroundings
) -> Parcel:
    project = around.projects.get(delivery.project)
    return Parcel(
        delivery=delivery,
        document=orjson.loads(row.document),
        status=shown_status(row.status),
        revision=row.revision,
        installed=_installed(row, platform),
        pass_type=project.pass_type(row.pass_type) if project is not None else None,
        expires_at=row.expires_at,
        identifiers=around.identifiers.get(row.no, {}),
        tokens=around.tokens.get(row.no, ()),
        memory=around.memories.get(row.no, {}),
        message=Message(told.texts, told.number) if told is not None else None,
        marketing=row.no in around.agreeing,
    )


def _agreeing(conn: Connection, taken: Sequence[Delivery], projects: Mapping[str, Project]) -> set[int]:
    """Return the passes whose person agrees to marketing at this moment; without a project nobody does.

    Asked for are those that a marketing message is for, and those whose template notifies of marketing.
    """
    result: set[int] = set()
    for name in {entry.project for entry in taken} & set(projects):
        project = projects[name]
        telling = {kind.name for kind in project.pass_types if Purpose.MARKETING in dict(kind.purposes).values()}
        owners = [
            (entry.pass_no, entry.pass_id)
            for entry in taken
            if entry.project == name and (entry.purpose is Purpose.MARKETING or entry.pass_type in telling)
        ]
        if owners:
            subjects = subjects_of(conn, owners, project)
            said = consents.granted(conn, name, sorted(set(subjects.values())), Purpose.MARKETING.value)
            result |= {number for number, subject in subjects.items() if said.get(subject, False)}
    return result

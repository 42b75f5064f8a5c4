"""Parcels: deliveries that were taken, with their passes, devices and consents as they are at this moment."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy.engine import Connection

from flatfile_sync.domain.delivery import Delivery, Settlement
from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Project
from flatfile_sync.domain.states import DeliveryKind, DeliveryState, Lane, Outcome, PassStatus, Platform, Purpose
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.writing import subjects_of
from flatfile_sync.store import consents, identifiers, memories, passes, registrations
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.platform import Parcel


@dataclass(slots=True)
class Packed:
    """What to send, and what settles without being sent."""

    parcels: list[Parcel] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)


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
    """Return the parcels of deliveries that were just taken, in their order."""
    around = _look(conn, taken, platform, kit)
    packed = Packed()
    for delivery in taken:
        row = around.rows[delivery.pass_no]
        installed = row.apple if platform is Platform.APPLE else row.google
        if delivery.purpose is Purpose.MARKETING and delivery.pass_no not in around.agreeing:
            packed.settled.append(Settlement(delivery_id=delivery.id, outcome=Outcome.NO_CONSENT))
        elif not installed:
            packed.settled.append(Settlement(delivery_id=delivery.id, outcome=Outcome.NOT_INSTALLED))
        else:
            packed.parcels.append(_parcel(delivery, row, installed, around))
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
    installed = row.apple if platform is Platform.APPLE else row.google
    return _parcel(delivery, row, installed, _look(conn, [delivery], platform, kit))


def _look(conn: Connection, taken: Sequence[Delivery], platform: Platform, kit: Kit) -> _Surroundings:
    numbers = sorted({delivery.pass_no for delivery in taken})
    named: dict[int, dict[str, str]] = defaultdict(dict)
    for number, kind, value in identifiers.of_passes(conn, numbers):
        named[number][kind] = value
    projects = _projects({delivery.project for delivery in taken}, kit)
    return _Surroundings(
        rows={row.no: row for row in passes.load_many(conn, numbers)},
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


def _parcel(delivery: Delivery, row: PassRow, installed: int, around: _Surroundings) -> Parcel:
    project = around.projects.get(delivery.project)
    return Parcel(
        delivery=delivery,
        document=orjson.loads(row.document),
        status=PassStatus(row.status),
        revision=row.revision,
        installed=installed,
        pass_type=project.pass_type(row.pass_type) if project is not None else None,
        expires_at=row.expires_at,
        identifiers=around.identifiers.get(row.no, {}),
        tokens=around.tokens.get(row.no, ()),
        memory=around.memories.get(row.no, {}),
    )


def _agreeing(conn: Connection, taken: Sequence[Delivery], projects: Mapping[str, Project]) -> set[int]:
    """Return the passes whose person still agrees to marketing at this moment; without a project nobody does."""
    asking = [entry for entry in taken if entry.kind is DeliveryKind.MESSAGE and entry.purpose is Purpose.MARKETING]
    result: set[int] = set()
    for name in {entry.project for entry in asking} & set(projects):
        owners = [(entry.pass_no, entry.pass_id) for entry in asking if entry.project == name]
        subjects = subjects_of(conn, owners, projects[name])
        said = consents.granted(conn, name, sorted(set(subjects.values())), Purpose.MARKETING.value)
        result |= {number for number, subject in subjects.items() if said.get(subject, False)}
    return result

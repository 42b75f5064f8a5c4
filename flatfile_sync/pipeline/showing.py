"""A pass as its templates see it, read in one snapshot."""

from collections.abc import Mapping

import orjson
from sqlalchemy.engine import Connection

from flatfile_sync.domain.project import Project
from flatfile_sync.domain.states import Purpose, shown_status
from flatfile_sync.pipeline.subjects import person_kind
from flatfile_sync.store import carried, consents, identifiers
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.templates.showing import Message, Showing


def showing(conn: Connection, row: PassRow, project: Project) -> Showing:
    """Return what templates show of a pass; consent is as it stands now, and is asked for where it decides anything."""
    message = carried.of_passes(conn, [row.no]).get(row.no)
    named = {kind: value for _, kind, value in identifiers.of_passes(conn, [row.no])}
    return Showing(
        pass_id=row.id,
        pass_type=row.pass_type,
        status=shown_status(row.status),
        revision=row.revision,
        expires_at=row.expires_at,
        identifiers=named,
        document=orjson.loads(row.document),
        message=Message(message.texts, message.number) if message is not None else None,
        marketing=_asks(row, project) and _agrees(conn, row, named, project),
    )


def _asks(row: PassRow, project: Project) -> bool:
    """Return whether something of a pass's type is shown only to holders who agreed to marketing."""
    pass_type = project.pass_type(row.pass_type)
    return pass_type is None or any(purpose is Purpose.MARKETING for _, purpose in pass_type.purposes)


def _agrees(conn: Connection, row: PassRow, named: Mapping[str, str], project: Project) -> bool:
    person = person_kind(project)
    subject = (person, named[person]) if person is not None and person in named else ("pass", row.id)
    return consents.granted(conn, project.name, [subject], Purpose.MARKETING.value).get(subject, False)

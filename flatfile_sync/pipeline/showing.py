"""A pass as its templates see it, read in one snapshot."""

import orjson
from sqlalchemy.engine import Connection

from flatfile_sync.domain.project import Project
from flatfile_sync.domain.states import Purpose, shown_status
from flatfile_sync.pipeline.subjects import subjects_of
from flatfile_sync.store import carried, consents, identifiers
from flatfile_sync.store.passes import PassRow
from flatfile_sync.wallets.templates.showing import Message, Showing


def showing(conn: Connection, row: PassRow, project: Project) -> Showing:
    """Return what templates show of a pass; consent is as it stands now."""
    message = carried.of_passes(conn, [row.no]).get(row.no)
    subject = subjects_of(conn, [(row.no, row.id)], project)[row.no]
    said = consents.granted(conn, project.name, [subject], Purpose.MARKETING.value)
    return Showing(
        pass_id=row.id,
        pass_type=row.pass_type,
        status=shown_status(row.status),
        revision=row.revision,
        expires_at=row.expires_at,
        identifiers={kind: value for _, kind, value in identifiers.of_passes(conn, [row.no])},
        document=orjson.loads(row.document),
        message=Message(message.texts, message.number) if message is not None else None,
        marketing=said.get(subject, False),
    )

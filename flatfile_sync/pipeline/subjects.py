"""Whose consent counts for a pass: that of the person who holds it, if the data model knows one."""

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from flatfile_sync.domain.project import Project
from flatfile_sync.store import consents, identifiers


def person_kind(project: Project) -> str | None:
    """Return the identifier kind that names a person, or None."""
    return next((kind.name for kind in project.model.identifiers if kind.person), None)


def subjects_of(conn: Connection, owners: Sequence[tuple[int, str]], project: Project) -> dict[int, consents.Subject]:
    """Return whose consent counts for each (pass number, pass id): the person if one is known, else the pass."""
    person = person_kind(project)
    persons: dict[int, str] = {}
    if person is not None:
        found = identifiers.of_passes(conn, sorted({number for number, _ in owners}))
        persons = {number: value for number, kind, value in found if kind == person}
    return {
        number: (person or "", persons[number]) if number in persons else ("pass", pass_id)
        for number, pass_id in owners
    }

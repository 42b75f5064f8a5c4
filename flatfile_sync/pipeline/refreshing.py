"""Refresh: a template changed, so every pass of its type looks different although none of its values is.

Passes get a new revision in chunks, and their content is owed in the bulk lane: it goes behind all that somebody
waits for, at each platform's pace. A refresh that ends half-way is begun again; passes that had their turn get another.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from sqlalchemy.engine import Connection

from flatfile_sync.domain.clock import Clock
from flatfile_sync.domain.failures import Refused
from flatfile_sync.domain.project import PassType, Project
from flatfile_sync.domain.spelling import did_you_mean
from flatfile_sync.domain.states import Lane
from flatfile_sync.pipeline.operate import ACTOR
from flatfile_sync.store import audit, deliveries, passes
from flatfile_sync.store.database import Store
from flatfile_sync.store.dialects import next_tag
from flatfile_sync.store.tables import micros

_CHUNK: Final = 5_000


def refresh(
    project: Project,
    name: str,
    *,
    store: Store,
    clock: Clock,
    chunk: int = _CHUNK,
    progress: Callable[[int], None] = lambda _: None,
) -> Counter[str]:
    """Refresh all passes of a type; return how many there are (`passes`), and how many are owed by platform.

    Raises `Refused` if the project has no such type.
    """
    pass_type = project.pass_type(name)
    if pass_type is None:
        near = did_you_mean(name, [known.name for known in project.pass_types])
        raise Refused(f"Project {project.name!r} has no pass type {name!r}.{near}")
    counts: Counter[str] = Counter(passes=0)
    after: int | None = 0
    while after is not None:
        after = store.write_now(
            lambda conn, after=after: _refresh_some(conn, project, pass_type, after, counts, chunk, clock)  # type: ignore[misc]
        )
        progress(counts["passes"])
    told = {"project": project.name, "pass_type": name, "version": project.version, **counts}
    store.write_now(lambda conn: audit.record(conn, at=clock(), actor=ACTOR, event="passes_refreshed", details=told))
    return counts


def _refresh_some(  # noqa: PLR0917 - one chunk's cursor among what it leans on
    conn: Connection, project: Project, pass_type: PassType, after: int, counts: Counter[str], chunk: int, clock: Clock
) -> int | None:
    """Refresh the passes behind one, and return the last of them, or None if there are no more."""
    found = passes.of_type(conn, project.name, pass_type.name, after=after, limit=chunk)
    if not found:
        return None
    now = clock()
    passes.touch_many(conn, [number for number, *_ in found], tag=next_tag(conn), now=micros(now))
    rows = [
        (number, platform, revision + 1, 0)
        for number, revision, apple, google in found
        for platform, installed in (("apple", apple), ("google", google))
        if installed and platform in pass_type.platforms
    ]
    deliveries.owe_latest(conn, rows, project=project.name, lane=Lane.BULK, drop_id=None, now=now)
    counts["passes"] += len(found)
    counts.update(platform for _, platform, *_ in rows)
    return found[-1][0]

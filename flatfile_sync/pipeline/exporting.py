"""Export: once a day, a file of all passes of a project for its partners: where each is held, and a link to add it.

Only accounts that may use every feed of the project see it, and only if the project says so: it holds identifiers.
"""

import asyncio
import csv
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.engine import Connection

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.project import Project
from flatfile_sync.domain.states import PassStatus
from flatfile_sync.files.columns import file_sha256
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.linking import links_of
from flatfile_sync.store import accounts, artefacts, identifiers, passes
from flatfile_sync.store.artefacts import Artefact
from flatfile_sync.store.database import Priority
from flatfile_sync.store.passes import Held

EXPORTS: Final = "exports"
_PAGE: Final = 5_000
_MODE: Final = 0o600

_log = structlog.get_logger()


async def export(*, kit: Kit) -> int:
    """Write the export of each project that wants one and show it to its accounts; return how many were written."""
    partners: dict[str, list[str]] = defaultdict(list)
    for account in await kit.store.read(accounts.listing):
        if account.disabled_at is None and not account.feeds:
            partners[account.project].append(account.name)
    written = 0
    for name, names in sorted(partners.items()):
        try:
            project = kit.projects.current(name)
        except ConfigurationError as error:
            _log.warning("not_exported", project=name, reason=str(error))
            continue
        if project.exports.daily:
            await _export(project, names, kit)
            written += 1
    return written


async def _export(project: Project, names: Sequence[str], kit: Kit) -> None:
    now = kit.clock()
    folder = kit.spool.work(f"{EXPORTS}-{project.name}")
    file = folder / f"passes-{secrets.token_hex(4)}.csv"
    count = await _write(file, project, now, kit)
    size, blob = file.stat().st_size, f"{EXPORTS}.{secrets.token_hex(16)}"
    sha256 = await kit.compute.run(file_sha256, file)
    await asyncio.to_thread(kit.spool.adopt, file, blob)

    def show(conn: Connection) -> None:
        for name in names:
            artefacts.upsert(
                conn,
                Artefact(
                    account=name,
                    zone=EXPORTS,
                    feed="",
                    name=f"{project.name}-passes-{now:%Y%m%d}.csv",
                    blob=blob,
                    size=size,
                    sha256=sha256,
                    drop_id=None,
                    created_at=now,
                ),
            )

    await kit.store.write(show)
    await asyncio.to_thread(kit.spool.clear_work, folder.name)
    _log.info("exported", project=project.name, passes=count, accounts=len(names))


async def _write(file: Path, project: Project, now: datetime, kit: Kit) -> int:
    """Write the file, page by page, and return how many passes it has."""
    kinds = [kind.name for kind in project.model.identifiers]
    head = ["id", "passType", *(f"id.{kind}" for kind in kinds), "status", "apple", "google"]
    await asyncio.to_thread(file.touch, _MODE)
    await asyncio.to_thread(_append, file, [[*head, "created_at", "modified_at", "link"]])
    count, after = 0, 0
    while page := await kit.store.read(lambda conn: passes.page(conn, project.name, after=after, limit=_PAGE)):  # noqa: B023
        numbers = [row.no for row in page]
        named = await kit.store.read(lambda conn: identifiers.of_passes(conn, numbers))  # noqa: B023
        links = await _links(page, project, now, kit)
        await asyncio.to_thread(_append, file, _rows(page, kinds, named, links))
        count, after = count + len(page), page[-1].no
    return count


async def _links(page: Sequence[Held], project: Project, now: datetime, kit: Kit) -> Mapping[int, str]:
    linker = kit.linker
    if linker is None or not project.exports.links:
        return {}
    numbers = [row.no for row in page if row.status == PassStatus.ACTIVE]
    return await kit.store.write(lambda conn: links_of(conn, numbers, linker=linker, now=now), priority=Priority.CHUNK)


def _rows(
    page: Sequence[Held], kinds: Sequence[str], named: Sequence[tuple[int, str, str]], links: Mapping[int, str]
) -> list[list[Any]]:
    values = {(number, kind): value for number, kind, value in named}
    return [
        [
            row.id,
            row.pass_type,
            *(values.get((row.no, kind), "") for kind in kinds),
            row.status,
            row.apple,
            row.google,
            _moment(row.created_at),
            _moment(row.modified_at),
            links.get(row.no, ""),
        ]
        for row in page
    ]


def _moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _append(file: Path, rows: Sequence[Sequence[Any]]) -> None:
    with file.open("a", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)

"""The line on one file without a daemon: a temporary store and spool, a dry-run drop, the same reports."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar
from uuid import uuid4

from flatfile_sync.daemon.projects import open_projects
from flatfile_sync.domain.drop import Drop, Upload
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.naming import result_name
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.domain.states import DropState, UploadState
from flatfile_sync.pipeline.importing import Imported, import_passes
from flatfile_sync.pipeline.kit import Kit, Projects
from flatfile_sync.pipeline.line import walk
from flatfile_sync.pipeline.phantoms import assume
from flatfile_sync.pipeline.read import read
from flatfile_sync.pipeline.validate import validate
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import artefacts, counters, drops, uploads
from flatfile_sync.store.database import Connection, Store
from flatfile_sync.store.migrate import prepare
from flatfile_sync.work.compute import Processes

P = ParamSpec("P")
T = TypeVar("T")

# Starting worker processes takes about a second: worth it from about a hundred thousand records on.
_LARGE: Final = 8 << 20
_WIDTH: Final = 2
ACCOUNT: Final = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What would come back: the artefacts by the end of their names, of which `stem` is the beginning.

    `assumed` counts passes taken for granted, `imported` is set where they came from a file instead. Without
    artefacts the import had problems and the file itself was not looked at.
    """

    stem: str
    artefacts: dict[str, bytes]
    assumed: int = 0
    imported: Imported | None = None

    @property
    def summary(self) -> dict[str, Any]:
        """Return the summary."""
        found: dict[str, Any] = json.loads(self.artefacts["summary.json"])
        return found


async def rehearse(
    file: Path, project: Project, feed: Feed, *, folder: Path, passes: Path | None, work: Path
) -> Rehearsal:
    """Walk a file along the line as a dry run; `folder` is the project's, `work` one that may be filled."""
    status = await asyncio.to_thread(file.stat)
    processes = Processes(_WIDTH) if status.st_size > _LARGE else None
    store = Store(f"sqlite:///{work / 'check.sqlite'}")
    try:
        prepare(store)
        kit = Kit(
            store=store,
            spool=Spool(work / "spool"),
            compute=processes or _Here(),
            projects=_known(folder, measured=passes is not None),
            platforms={},
            engine=_Nothing(),
        )
        return await _rehearse(file, project, feed, kit=kit, passes=passes, work=work)
    finally:
        store.close()
        if processes is not None:
            await processes.close()


def _known(folder: Path, *, measured: bool) -> Projects:
    """Return the projects beside a folder; without passes from a file nobody knows how many there are."""
    projects = open_projects(folder.parent)
    return projects if measured else _Unmeasured(projects)


class _Unmeasured:
    """Projects without the limit that is a share of all passes: what the file names is all that there is here."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self.dump, self.load = projects.dump, projects.load

    def current(self, name: str) -> Project:
        """Return a project as its files say, but for that limit."""
        project = self._projects.current(name)
        feeds = [replace(feed, guards=replace(feed.guards, max_notification_percent=None)) for feed in project.feeds]
        return replace(project, feeds=tuple(feeds))


async def _rehearse(
    file: Path, project: Project, feed: Feed, *, kit: Kit, passes: Path | None, work: Path
) -> Rehearsal:
    drop = _receive(file, project, feed, kit)
    imported, assumed = None, 0
    if passes is not None:
        imported = import_passes(passes, project, store=kit.store, work=work, clock=kit.clock)
        if imported.problems:
            return Rehearsal(stem=drop.result_name, artefacts={}, imported=imported)
    else:
        reading = await read(drop, project, feed, kit=kit)
        checked = await validate(drop, reading, project, feed, kit=kit)
        assumed = assume(checked, project, feed, folder=kit.spool.work(drop.id), store=kit.store, clock=kit.clock)
        kit.spool.clear_work(drop.id)
    await walk(drop, kit=kit)
    found = kit.store.read_now(lambda conn: artefacts.of_drop(conn, drop.id))
    return Rehearsal(
        stem=drop.result_name,
        artefacts={
            entry.name.removeprefix(f"{drop.result_name}."): kit.spool.path(entry.blob).read_bytes() for entry in found
        },
        assumed=assumed,
        imported=imported,
    )


def _receive(file: Path, project: Project, feed: Feed, kit: Kit) -> Drop:
    """Store what the door would have stored at the close of the file."""
    now, blob, drop_id = kit.clock(), uuid4().hex, uuid4().hex
    shutil.copyfile(file, kit.spool.path(blob))
    upload = Upload(
        id=uuid4().hex,
        account=ACCOUNT,
        zone="dryrun",
        feed=None,
        name=file.name,
        blob=blob,
        state=UploadState.CLOSED,
        size=file.stat().st_size,
        modified_at=now,
        opened_at=now,
        closed_at=now,
        drop_id=drop_id,
    )

    def store(conn: Connection) -> Drop:
        drop = Drop(
            id=drop_id,
            seq=counters.advance(conn, "close_seq"),
            account=ACCOUNT,
            project=project.name,
            feed=feed.name,
            upload_id=upload.id,
            file_name=file.name,
            result_name=result_name(file.name, now, drop_id),
            blob=blob,
            bytes=upload.size,
            dry_run=True,
            state=DropState.RECEIVED,
            received_at=now,
        )
        uploads.insert(conn, upload)
        drops.insert(conn, drop)
        return drop

    return kit.store.write_now(store)


class _Here:
    """Runs functions in this process, at once."""

    width = 1

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)`."""
        return function(*args, **kwargs)


class _Nothing:
    """An engine for who walks the line on foot: nothing runs by itself."""

    def submit(
        self, connection: Any, kind: TaskKind, key: str, *, not_before: datetime | None = None, priority: int = 0
    ) -> None:
        """Do nothing."""

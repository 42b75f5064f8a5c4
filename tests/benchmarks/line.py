"""One large file along the line, each step timed, with the peak memory of daemon and workers.

    python -m tests.benchmarks.line FOLDER ROWS [together]

Runs in a process of its own, so that its memory is its own. Store, spool, project, receive and the steps are the real
ones, in the order of `pipeline.line`; only the engine is a note pad, since here it is the benchmark that walks.
"""

import asyncio
import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from flatfile_sync.daemon.projects import open_projects
from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.states import DropState, DropVerdict
from flatfile_sync.pipeline.apply import apply
from flatfile_sync.pipeline.claim import claim
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.pausing import collect_seldom
from flatfile_sync.pipeline.plan import plan
from flatfile_sync.pipeline.progress import Progress
from flatfile_sync.pipeline.read import read
from flatfile_sync.pipeline.receive import Place, begin, close
from flatfile_sync.pipeline.report import report
from flatfile_sync.pipeline.validate import validate
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import drops
from flatfile_sync.store.accounts import Account
from flatfile_sync.store.database import Store
from flatfile_sync.work.compute import Processes
from tests.benchmarks.steps import Steps
from tests.doubles import RecordingEngine
from tests.line import sandboxes

PROJECTS = Path(__file__).parent / "projects"
WORKERS = 2
ACCOUNT = Account(
    name="partner", project="bench", feeds=(), created_at=datetime(2026, 8, 1, tzinfo=UTC), disabled_at=None
)


async def main(folder: Path, rows: int, *, together: bool) -> None:
    """Walk the file of a folder to its report and print what each step took."""
    kit = await open_kit(folder)
    steps = Steps(rows, kit.compute, together=together)
    collect_seldom()
    drop = await hand_over(folder / "members.csv", kit=kit)
    drop = await finish(await to_plan(drop, kit=kit, steps=steps), kit=kit, steps=steps)
    assert (drop.state, drop.verdict, drop.summary["records"]) == (DropState.REPORTED, DropVerdict.APPLIED, rows)
    print(json.dumps(steps.figures()))
    await kit.compute.close()
    kit.store.close()


async def open_kit(folder: Path) -> Kit:
    """Return the parts of a daemon on the database and spool of a folder, with its workers warm."""
    compute = Processes(WORKERS)
    # What a daemon has behind it when its first file comes: the workers have imported what they need.
    await asyncio.gather(*(compute.run(os.getpid) for _ in range(WORKERS)))
    store = Store(f"sqlite:///{folder / 'flatfile.db'}")
    store.begin_epoch()
    return Kit(
        store=store,
        spool=Spool(folder / "spool"),
        compute=compute,
        projects=open_projects(PROJECTS),
        platforms=sandboxes(),
        engine=RecordingEngine(),
    )


async def hand_over(file: Path, *, kit: Kit) -> Drop:
    """Close a file at the door and return its drop."""
    upload, descriptor = await begin(ACCOUNT, Place(zone="inbox", folder=None, name=file.name), resume=False, kit=kit)
    with file.open("rb") as source, os.fdopen(descriptor, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target)
    try:
        size = os.fstat(descriptor).st_size
        closed = await close(ACCOUNT, upload, descriptor, size=size, sha256=None, ended=True, kit=kit)
    finally:
        os.close(descriptor)
    return await kit.store.read(lambda conn: drops.by_id(conn, closed.drop_id))


async def to_plan(drop: Drop, *, kit: Kit, steps: Steps) -> Drop:
    """Walk a received drop until it is planned."""
    project = kit.projects.current(drop.project)
    feed = project.feed(drop.feed)
    progress = Progress(drop, kit=kit)
    with steps.measured("claim"):
        drop = await claim(drop, kit=kit)
    with steps.measured("read"):
        reading = await read(drop, project, feed, kit=kit, progress=progress.step("read"))
    with steps.measured("validate"):
        checked = await validate(drop, reading, project, feed, kit=kit, progress=progress.step("validate"))
    with steps.measured("plan"):
        drop = await plan(drop, checked, project, feed, kit=kit, progress=progress.step("plan"))
    await progress.end()
    return drop


async def finish(drop: Drop, *, kit: Kit, steps: Steps) -> Drop:
    """Walk a planned drop until its result set is published."""
    project = kit.projects.current(drop.project)
    feed = project.feed(drop.feed)
    progress = Progress(drop, kit=kit)
    with steps.measured("apply"):
        drop = await apply(drop, project, feed, kit=kit, progress=progress.step("apply"))
    await progress.end()
    with steps.measured("report"):
        return await report(drop, project, feed, kit=kit)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), together="together" in sys.argv))

"""The line: the only place that puts the steps in order.

    receive -> claim -> read -> validate -> plan -> apply -> report -> deliver -> settle

`receive` happens at the door, `deliver` on its own schedule; everything between is walked here, one drop at a time.
"""

import structlog
from sqlalchemy.engine import Connection

from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.engine import Task, TaskKind
from flatfile_sync.domain.failures import LostTurnError, StaleEpochError, trail
from flatfile_sync.domain.project import Feed, Project
from flatfile_sync.domain.states import DeliveryState, DropState
from flatfile_sync.pipeline.apply import apply
from flatfile_sync.pipeline.claim import claim
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.plan import plan
from flatfile_sync.pipeline.progress import Progress
from flatfile_sync.pipeline.read import read
from flatfile_sync.pipeline.report import report
from flatfile_sync.pipeline.settle import settle
from flatfile_sync.pipeline.validate import validate
from flatfile_sync.store import deliveries, drops, projects

log = structlog.get_logger()


async def walk(drop: Drop, *, kit: Kit) -> Drop:
    """Walk a drop along the line as far as it goes now and return it."""
    if drop.state is DropState.RECEIVED:
        drop = await claim(drop, kit=kit)
    if drop.state in {DropState.RECEIVED, DropState.HELD}:
        return drop
    project, feed = await _pinned(drop, kit=kit)
    progress = Progress(drop, kit=kit)
    try:
        drop = await _change(drop, project, feed, progress, kit=kit)
    finally:
        await progress.end()
    if drop.state is DropState.APPLIED:
        drop = await report(drop, project, feed, kit=kit)
    if drop.state is DropState.REPORTED:
        drop = await settle(drop, kit=kit)
    return drop


async def _change(drop: Drop, project: Project, feed: Feed, progress: Progress, *, kit: Kit) -> Drop:
    """Walk a claimed drop to the end of its turn, or to HELD."""
    if drop.state is DropState.CLAIMED:
        reading = await read(drop, project, feed, kit=kit, progress=progress.step("read"))
        checked = await validate(drop, reading, project, feed, kit=kit, progress=progress.step("validate"))
        drop = await plan(drop, checked, project, feed, kit=kit, progress=progress.step("plan"))
    if drop.state is DropState.PLANNED:
        drop = await apply(drop, project, feed, kit=kit, progress=progress.step("apply"))
    return drop


async def advance(drop_id: str, *, kit: Kit) -> None:
    """Walk the drop with this id if it can move; a step that fails is tried again later, and in the end is stuck."""
    drop = await kit.store.read(lambda conn: drops.by_id(conn, drop_id))
    if drop is None or drop.stuck or drop.state is DropState.SETTLED:
        return
    if drop.state is not DropState.RECEIVED and drop.due_at is not None and drop.due_at > kit.clock():
        return
    try:
        await walk(drop, kit=kit)
    except LostTurnError:
        log.info("drop_moved_elsewhere", drop=drop_id)
    except StaleEpochError:
        raise
    except Exception as error:  # noqa: BLE001 - it stands in the drop's row, and the step is tried again
        log.error("step_failed", drop=drop_id, trail=trail(error))  # noqa: TRY400 - never the text of it, see `trail`
        await _stumble(drop_id, error, kit=kit)


async def outstanding(*, kit: Kit) -> list[Task]:
    """Return all that is to be done, as the tables say: the sweep that finds what an engine lost."""
    waiting = await kit.store.read(drops.outstanding)
    tasks = [Task(priority=0, kind=TaskKind.ADVANCE, key=key, not_before=due_at) for key, due_at in waiting]
    kinds = dict.fromkeys(DeliveryState, TaskKind.DELIVER) | {DeliveryState.ACCEPTED: TaskKind.CONFIRM}
    for platform, state in await kit.store.read(deliveries.outstanding):
        tasks.append(Task(priority=0, kind=kinds[DeliveryState(state)], key=platform))
    return tasks


async def _pinned(drop: Drop, *, kit: Kit) -> tuple[Project, Feed]:
    """Return project and feed as they were when the drop was claimed."""
    version = str(drop.project_version)
    project = kit.projects.load(await kit.store.read(lambda conn: projects.document(conn, version)))
    feed = project.feed(drop.feed)
    if feed is None:
        raise AssertionError(f"feed {drop.feed!r} is not in the version {version} that the drop was claimed with")
    return project, feed


async def _stumble(drop_id: str, error: Exception, *, kit: Kit) -> None:
    """Note a failed step: due again by the back-off policy, or stuck until an operator says `drops retry`."""

    def note(conn: Connection) -> None:
        drop = drops.by_id(conn, drop_id)
        if drop is None:
            return
        now = kit.clock()
        due = kit.steps.next_try(drop.attempts + 1, now)
        # The text of an unexpected error may quote a partner's data: only its kind is kept.
        kind = type(error).__name__
        drops.note(conn, drop, attempts=drop.attempts + 1, last_error=kind, due_at=due, stuck=due is None)
        if due is None:
            log.error("drop_stuck", drop=drop_id, state=drop.state.value, error=kind)
            for waiting in drops.waiting_behind(conn, drop):
                kit.engine.submit(conn, TaskKind.ADVANCE, waiting)
        else:
            kit.engine.submit(conn, TaskKind.ADVANCE, drop_id, not_before=due)

    await kit.store.write(note)

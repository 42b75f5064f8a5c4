"""Plan: which pass each record means, which passes will be created, and whether the guards let the drop go on.

Plan decides who; apply decides what. Nothing of a pass is written here.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy.engine import Connection

from flatfile_sync.domain import faults, guards
from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.columns import Role
from flatfile_sync.domain.drop import Chunk, Drop
from flatfile_sync.domain.engine import TaskKind
from flatfile_sync.domain.issues import Issue
from flatfile_sync.domain.project import Feed, GuardAction, Project
from flatfile_sync.domain.states import Decision, DropState, DropVerdict
from flatfile_sync.pipeline.ack import PreparedAck, commit_ack, prepare_ack
from flatfile_sync.pipeline.creating import Answer, Newborn, amend, meeting_records, namers
from flatfile_sync.pipeline.crew import in_order
from flatfile_sync.pipeline.flow import Checked, Slice
from flatfile_sync.pipeline.header import shown_names
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.resolving import Resolved, distinct_keys, resolve_chunk
from flatfile_sync.pipeline.tails import assign, repeats, split_off
from flatfile_sync.store import chunks, drops, erasures, identifiers, passes
from flatfile_sync.store.identifiers import Matches


async def plan(
    drop: Drop,
    checked: Checked,
    project: Project,
    feed: Feed,
    *,
    kit: Kit,
    progress: Callable[[int], None] = lambda _: None,
) -> Drop:
    """Return the drop as PLANNED, or as HELD if a guard wants an operator to look."""
    folder = kit.spool.work(drop.id)
    columns = () if checked.refused else checked.reading.columns
    keys = [column.name for column in columns if column.role in {Role.IDENTIFIER, Role.PASS_ID}]

    erased = await kit.store.read(lambda conn: erasures.tombstones(conn, project.name))

    async def resolve(part: Slice) -> Resolved:
        source = folder / part.file
        wanted = await kit.compute.run(distinct_keys, source, keys)
        matches = await kit.store.read(lambda conn: _look_up(conn, project.name, wanted))
        target = folder / f"plan-{part.no:05}.arrow"
        told = {"matches": matches, "project": project, "feed": feed, "drop_id": drop.id, "erased": erased}
        return await kit.compute.run(resolve_chunk, source, target, **told)  # type: ignore[arg-type]

    parts: list[Resolved] = []
    done = 0
    async for resolved in in_order(checked.slices, resolve, width=kit.compute.width * 2):
        parts.append(resolved)
        done += len(resolved.pass_nos)
        progress(done)
    pass_nos, failed = await _follow_new_passes(parts, checked, project, folder, kit)
    apart = np.concatenate([np.array([], dtype=bool), *(part.apart for part in parts)])
    plans = [_Plan(part.file, part.first, len(part.pass_nos)) for part in parts]
    messages = _messages(parts, failed)
    # From here on each record is a few bytes, held once.
    parts.clear()
    planned = await _chunks(drop, plans, pass_nos, apart, folder=folder, kit=kit)
    for part in checked.slices:
        (folder / part.file).unlink()
    tripped = None
    if not checked.refused and drop.verdict is None:
        tripped = guards.check(
            feed.guards,
            records=len(failed),
            failed=int(failed.sum()),
            leading_failures=len(failed) if failed.all() else int(np.argmin(failed)),
            child=drop.parent_id is not None,
            messages=messages,
            passes=await _passes(project, feed, kit),
        )
    issues = [*_of_the_drop(drop), *checked.issues, *([tripped.issue] if tripped else [])]
    names = shown_names(checked.reading.columns, project, feed)
    # What claim found out about the layers stays beside it.
    summary = drop.summary | _summary(checked, names, issues, tripped, int(failed.sum()))
    held = tripped is not None and feed.guards.action is GuardAction.HOLD
    # Durable before PLANNED says that they are there: apply takes them as they are, whatever happens in between.
    await asyncio.to_thread(kit.spool.secure_work, drop.id, [chunk.plan_file for chunk in planned])
    decision, values = _decided(drop, checked, issues, tripped, held=held)
    ack = await prepare_ack(drop, decision, kit=kit, why=str(values["reason"])) if decision else None
    return await kit.store.write(
        lambda conn: _commit(conn, drop, planned, ack, kit=kit, held=held, summary=summary, values=values)
    )


def _messages(parts: Sequence[Resolved], failed: npt.NDArray[np.bool_]) -> int:
    """Return how many sound records carry a message."""
    return int((np.concatenate([part.messages for part in parts]) & ~failed).sum()) if parts else 0


async def _passes(project: Project, feed: Feed, kit: Kit) -> int:
    """Return how many passes the project has, if a guard of the feed wants to know."""
    if feed.guards.max_notification_percent is None:
        return 0
    return await kit.store.read(lambda conn: passes.count(conn, project.name))


def _look_up(conn: Connection, project: str, wanted: dict[str, list[str]]) -> dict[str, Matches]:
    """Return, per identifier column, the passes that carry one of the values."""
    return {
        column: identifiers.resolve_ids(conn, project, values)
        if column == "id"
        else identifiers.resolve(conn, project, column.removeprefix("id."), values)
        for column, values in wanted.items()
    }


async def _follow_new_passes(
    parts: Sequence[Resolved], checked: Checked, project: Project, folder: Path, kit: Kit
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Let later records see the passes that earlier ones create; return pass number and failure of every record."""
    pass_nos, failed = [part.pass_nos for part in parts], [part.failed for part in parts]
    meeting = meeting_records(parts) if parts else np.array([], dtype=np.int32)
    born = Newborn(project)
    if len(meeting):
        for place, (part, source) in enumerate(zip(parts, checked.slices, strict=True)):
            low, high = np.searchsorted(meeting, (source.first, source.first + source.records))
            here = meeting[low:high].tolist()
            if not here:
                continue
            named = await kit.compute.run(namers, folder / part.file, folder / source.file, here)
            answers: dict[int, Answer] = {}
            for namer in named:
                answer = born.follow(namer)
                if answer is not None:
                    answers[namer.record] = answer
            if answers:
                pass_nos[place], failed[place] = await kit.compute.run(amend, folder / part.file, answers)
    if not parts:
        return np.array([], dtype=np.int64), np.array([], dtype=bool)
    return np.concatenate(pass_nos), np.concatenate(failed)


class _Plan(NamedTuple):
    """A plan file: its first record and how many it has."""

    file: str
    first: int
    records: int


async def _chunks(
    drop: Drop,
    parts: Sequence[_Plan],
    pass_nos: npt.NDArray[np.int64],
    apart: npt.NDArray[np.bool_],
    *,
    folder: Path,
    kit: Kit,
) -> list[Chunk]:
    """Return the chunks to apply: one per slice, then those of passes that are named more than once."""
    sizes = [part.records for part in parts]
    planned = []
    tails = []
    # Asked here first: a million numbers that all differ need not travel.
    again: bool = await asyncio.to_thread(repeats, pass_nos)
    if again or apart.any():
        tails = await kit.compute.run(assign, pass_nos, apart, size=kit.chunk_records)
    firsts = [(folder / part.file, part.first) for part in parts]
    moved = np.sort(np.concatenate(tails)) if tails else np.array([], dtype=np.int64)
    for no, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        low, high = np.searchsorted(moved, (part.first - 1, part.first - 1 + size))
        planned.append(Chunk(drop_id=drop.id, no=no, kind="main", records=size - int(high - low), plan_file=part.file))
    for no, positions in enumerate(tails, start=len(parts)):
        name = f"plan-{no:05}.arrow"
        await kit.compute.run(split_off, firsts, positions, folder / name)
        planned.append(Chunk(drop_id=drop.id, no=no, kind="tail", records=len(positions), plan_file=name))
    return planned


def _summary(
    checked: Checked, names: Sequence[str], issues: Sequence[Issue], tripped: guards.Tripped | None, failed: int
) -> dict[str, object]:
    """Return what the report needs to know of the steps before it."""
    reading = checked.reading
    return {
        "records": reading.records,
        "failed": failed,
        "header": reading.header_bytes.hex(),
        "columns": list(names),
        "dialect": asdict(reading.dialect) if reading.dialect else None,
        "issues": [asdict(problem) for problem in issues],
        "guard": {"rule": tripped.rule, "limit": tripped.limit, "observed": tripped.observed} if tripped else None,
    }


def _of_the_drop(drop: Drop) -> list[Issue]:
    """Return why a drop was decided before it was read."""
    if drop.verdict is DropVerdict.DUPLICATE:
        return [issue("F07", duplicate_of=drop.duplicate_of)]
    if drop.verdict is DropVerdict.CANCELLED:
        return [issue("F06", reason=drop.reason)]
    return []


def _decided(
    drop: Drop, checked: Checked, issues: Sequence[Issue], tripped: guards.Tripped | None, *, held: bool
) -> tuple[Decision | None, dict[str, object]]:
    """Return the changed decision for the ack, if it changed, and what to write into the drop."""
    if drop.verdict in {DropVerdict.DUPLICATE, DropVerdict.CANCELLED}:
        return None, {"reason": f"{issues[0].code}: {issues[0].message}"}
    if held and tripped is not None:
        return Decision.HELD, {"reason": tripped.issue.message}
    if checked.refused or tripped is not None:
        first = next(problem for problem in issues if problem.severity == "error")
        return Decision.REJECTED, {"verdict": DropVerdict.REJECTED, "reason": f"{first.code}: {first.message}"}
    return None, {}


def _commit(
    conn: Connection,
    drop: Drop,
    planned: Sequence[Chunk],
    ack: PreparedAck | None,
    *,
    kit: Kit,
    held: bool,
    summary: dict[str, object],
    values: dict[str, object],
) -> Drop:
    chunks.delete_of_drop(conn, drop.id)
    chunks.insert_many(conn, planned)
    if ack is not None:
        commit_ack(conn, ack, drop)
    state = DropState.HELD if held else DropState.PLANNED
    moved = drops.move(conn, drop, state, planned_at=kit.clock(), summary=summary, **values)
    if held:
        # It blocks nobody (but a feed that stops after a failure).
        for waiting in drops.waiting_behind(conn, drop):
            kit.engine.submit(conn, TaskKind.ADVANCE, waiting)
    faults.point("plan.before_commit")
    return moved

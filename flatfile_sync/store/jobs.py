"""Statements on the tables of Procrastinate, the engine on PostgreSQL (`work.procrastinate`).

Two sorts of jobs. A *run* is due at once and carries the lock of its key, so that no key runs twice at a time. An
*alarm* waits for its moment without any lock, then becomes a run: a waiting job that held the lock would block every
run of its key behind it.

No job has a queueing lock: its unique index would let two transactions that submit the same key wait for each other's
commit. Every submission is a row; a run takes along all that are committed when it begins.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.engine import Task

RUN = "run"
ALARM = "alarm"

_DEFER = sa.text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, :priority, :lock, NULL, CAST(:args AS jsonb),"
    " CAST(:scheduled_at AS timestamptz))]::procrastinate_job_to_defer_v1[])"
)
_WAITING = (
    "FROM procrastinate_jobs WHERE status = 'todo' AND task_name = :task"
    " AND args @> jsonb_build_object('kind', CAST(:kind AS text), 'key', CAST(:key AS text))"
)


def is_installed(conn: Connection) -> bool:
    """Return whether Procrastinate's tables are there."""
    return conn.exec_driver_sql("SELECT to_regclass('procrastinate_jobs')").scalar_one() is not None


def install(conn: Connection, schema: str) -> None:
    """Create Procrastinate's tables and functions from its own SQL text."""
    driver: Any = conn.connection.driver_connection
    driver.execute(schema)


def submit(conn: Connection, task: Task, *, now: datetime) -> None:
    """Add a run, or an alarm unless an earlier one of the key is set; in the caller's transaction."""
    if task.not_before is None or task.not_before <= now:
        _defer_run(conn, task)
    elif not conn.scalar(sa.text(f"SELECT EXISTS (SELECT 1 {_WAITING} AND scheduled_at <= :at)"), _alarm(task)):
        # A later alarm has nothing left to say; one that is just firing (locked) may go its way.
        later = f"SELECT id {_WAITING} AND scheduled_at > :at FOR UPDATE SKIP LOCKED"
        conn.execute(sa.text(f"DELETE FROM procrastinate_jobs WHERE id IN ({later})"), _alarm(task))
        _defer(conn, task, queue=ALARM, name=ALARM, lock=None, scheduled_at=task.not_before)


def waits(conn: Connection, task: Task) -> bool:
    """Return whether a run of the key is waiting whose transaction has committed."""
    return bool(conn.scalar(sa.text(f"SELECT EXISTS (SELECT 1 {_WAITING})"), _run(task)))


def submit_missing(conn: Connection, tasks: Sequence[Task], *, now: datetime) -> None:
    """Add what a sweep found, except runs that are waiting already: those begin after the sweep's snapshot."""
    for task in tasks:
        later = task.not_before is not None and task.not_before > now
        if later or not waits(conn, task):
            submit(conn, task, now=now)


def take_along(conn: Connection, task: Task) -> int:
    """Remove the waiting runs of a key, whose transactions have committed, and return how many there were."""
    return conn.execute(sa.text(f"DELETE {_WAITING}"), _run(task)).rowcount


def clear_dead(conn: Connection, *, silent_for: timedelta) -> int:
    """Remove jobs whose worker has not been heard of for a while and return how many; the sweep knows their work."""
    statement = sa.text(
        "DELETE FROM procrastinate_jobs j WHERE j.status = 'doing' AND NOT EXISTS"
        " (SELECT 1 FROM procrastinate_workers w WHERE w.id = j.worker_id"
        " AND w.last_heartbeat > now() - make_interval(secs => :seconds))"
    )
    return conn.execute(statement, {"seconds": silent_for.total_seconds()}).rowcount


def busy(conn: Connection) -> int:
    """Return how many jobs are running or due now."""
    query = (
        "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
        " OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))"
    )
    return int(conn.exec_driver_sql(query).scalar_one())


def _run(task: Task) -> dict[str, object]:
    return {"task": RUN, "kind": task.kind, "key": task.key}


def _alarm(task: Task) -> dict[str, object]:
    return {"task": ALARM, "kind": task.kind, "key": task.key, "at": task.not_before}


def _defer_run(conn: Connection, task: Task) -> None:
    _defer(conn, task, queue=task.kind, name=RUN, lock=f"{task.kind}:{task.key}", scheduled_at=None)


def _defer(
    conn: Connection, task: Task, *, queue: str, name: str, lock: str | None, scheduled_at: datetime | None
) -> None:
    values = {
        "queue": queue,
        "task": name,
        # There the largest goes first.
        "priority": -task.priority,
        "lock": lock,
        "args": orjson.dumps({"kind": task.kind, "key": task.key, "priority": task.priority}).decode(),
        "scheduled_at": scheduled_at and scheduled_at.astimezone(UTC),
    }
    conn.execute(_DEFER, values)

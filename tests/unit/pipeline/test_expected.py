from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from flatfile_sync.domain.project import DataModel, Feed, Project
from flatfile_sync.domain.states import DropState
from flatfile_sync.pipeline.expected import last_deadline, watch
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.store.tables import accounts, audit, drops
from tests.doubles import FixedProjects, InlineCompute, RecordingEngine

HOUR = timedelta(hours=1)
# 06:30 in Paris is 04:30 UTC in summer.
DEADLINE = datetime(2026, 8, 1, 4, 30, tzinfo=UTC)
PROJECT = Project(
    name="brand",
    title="Brand",
    timezone="Europe/Paris",
    model=DataModel(fields=(), identifiers=()),
    pass_types=(),
    feeds=(Feed(name="points", expected_by="06:30"), Feed(name="whenever")),
)


@pytest.fixture
def kit(store, spool, clock):
    account = {"name": "partner", "project": "brand", "feeds": [], "created_at": DEADLINE - timedelta(days=30)}
    store.write_now(lambda conn: conn.execute(sa.insert(accounts), account))
    clock.set(DEADLINE + HOUR)
    return Kit(
        store=store,
        spool=spool,
        compute=InlineCompute(),
        projects=FixedProjects({"brand": PROJECT}),
        platforms={},
        engine=RecordingEngine(),
        clock=clock,
    )


def _drop(kit, received_at, *, feed="points", dry_run=False):
    drop_id = f"{received_at:%d%H%M%S}{feed}{dry_run}"
    row = dict.fromkeys(("id", "account", "upload_id", "file_name", "result_name", "blob"), drop_id)
    row |= {"project": "brand", "feed": feed, "seq": int(received_at.timestamp()), "bytes": 1, "dry_run": dry_run}
    row |= {"state": DropState.RECEIVED, "summary": {}, "received_at": received_at}
    kit.store.write_now(lambda conn: conn.execute(sa.insert(drops), row))


def _noted(kit):
    query = sa.select(audit.c.event, audit.c.details).order_by(audit.c.id)
    return [(event, details["feed"]) for event, details in kit.store.read_now(lambda conn: conn.execute(query).all())]


async def test_a_file_that_has_not_come_is_noted_once_and_logged(kit):
    with capture_logs() as logs:
        assert await watch(kit=kit) == [("brand", "points")]
        assert await watch(kit=kit) == []
    assert _noted(kit) == [("expected_missed", "points")]
    assert [(entry["event"], entry["log_level"], entry["feed"]) for entry in logs] == [
        ("expected_missed", "warning", "points")
    ]


async def test_it_is_noted_again_the_next_day(kit, clock):
    await watch(kit=kit)
    clock.set(DEADLINE + timedelta(days=1) - timedelta(seconds=1))
    assert await watch(kit=kit) == []
    clock.set(DEADLINE + timedelta(days=1))
    assert await watch(kit=kit) == [("brand", "points")]
    assert len(_noted(kit)) == 2


@pytest.mark.parametrize("before", [timedelta(0), HOUR, timedelta(days=1), -HOUR / 2])
async def test_a_file_since_yesterdays_deadline_is_todays_file(kit, before):
    _drop(kit, DEADLINE - before)
    assert await watch(kit=kit) == []


@pytest.mark.parametrize(
    "drop",
    [
        {"received_at": DEADLINE - timedelta(days=1, seconds=1)},
        {"received_at": DEADLINE - HOUR, "feed": "whenever"},
        {"received_at": DEADLINE - HOUR, "dry_run": True},
    ],
    ids=["an older file", "a file of another feed", "a dry run"],
)
async def test_it_must_be_a_file_of_this_feed_and_day(kit, drop):
    _drop(kit, **drop)
    assert await watch(kit=kit) == [("brand", "points")]


async def test_nothing_is_expected_of_a_partner_who_came_only_after_the_deadline_before(kit):
    kit.store.write_now(lambda conn: conn.execute(sa.update(accounts).values(created_at=DEADLINE - HOUR)))
    assert await watch(kit=kit) == []


async def test_nothing_is_expected_without_an_account(kit, clock):
    kit.store.write_now(lambda conn: conn.execute(sa.update(accounts).values(disabled_at=clock())))
    assert await watch(kit=kit) == []


async def test_a_feed_may_name_its_own_zone(kit):
    kit.projects.projects["brand"] = replace(
        PROJECT, feeds=(Feed(name="points", expected_by="06:30 America/New_York"),)
    )
    _drop(kit, DEADLINE - timedelta(days=1, hours=1))
    assert await watch(kit=kit) == []  # 06:30 in New York is 10:30 UTC: yesterday's deadline, and its file came


async def test_an_account_of_a_project_that_is_gone_does_not_stop_the_watch(kit, clock):
    account = {"name": "a former partner", "project": "aaa", "feeds": [], "created_at": clock() - timedelta(days=30)}
    kit.store.write_now(lambda conn: conn.execute(sa.insert(accounts), account))
    assert await watch(kit=kit) == [("brand", "points")]


@pytest.mark.parametrize(
    ("now", "deadline", "before"),
    [
        ("2026-03-29T12:00", "2026-03-29T04:30", "2026-03-28T05:30"),  # summer time begins: a day of 23 hours
        ("2026-10-25T12:00", "2026-10-25T05:30", "2026-10-24T04:30"),  # and ends: 25 hours
        ("2026-08-01T04:29", "2026-07-31T04:30", "2026-07-30T04:30"),
        ("2026-08-01T04:30", "2026-08-01T04:30", "2026-07-31T04:30"),
        ("2026-07-31T23:00", "2026-07-31T04:30", "2026-07-30T04:30"),  # already tomorrow in Paris
    ],
)
def test_deadlines_follow_the_wall_clock(now, deadline, before):
    found = last_deadline("06:30", "Europe/Paris", datetime.fromisoformat(f"{now}+00:00"))
    assert [moment.strftime("%Y-%m-%dT%H:%M") for moment in found] == [deadline, before]

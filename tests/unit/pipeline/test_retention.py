import os
from datetime import timedelta

import pytest
import sqlalchemy as sa

from flatfile_sync.domain.project import DataModel, Project, Retention
from flatfile_sync.domain.states import DropState, UploadState, UploadVerdict
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.retention import Removed, expire
from flatfile_sync.store.tables import accounts, artefacts, drops, uploads
from tests.doubles import FixedProjects, InlineCompute, RecordingEngine

DAY = timedelta(days=1)
PROJECT = Project(
    name="brand",
    title="Brand",
    timezone="Europe/Paris",
    model=DataModel(fields=(), identifiers=()),
    pass_types=(),
    feeds=(),
    retention=Retention(archive=10 * DAY, reports=20 * DAY, abandoned=3 * DAY),
)


@pytest.fixture
def kit(store, spool, clock):
    account = {"name": "partner", "project": "brand", "feeds": [], "created_at": clock()}
    store.write_now(lambda conn: conn.execute(sa.insert(accounts), account))
    return Kit(
        store=store,
        spool=spool,
        compute=InlineCompute(),
        projects=FixedProjects({"brand": PROJECT}),
        platforms={},
        engine=RecordingEngine(),
        clock=clock,
    )


def _blob(kit, blob, *, age=timedelta(0)):
    kit.spool.put(blob, b"some bytes", durable=False)
    moment = (kit.clock() - age).timestamp()
    os.utime(kit.spool.path(blob), (moment, moment))
    return blob


def _artefact(kit, name, *, zone, age, blob=None, account="partner"):
    row = {"account": account, "zone": zone, "feed": "", "name": name, "size": 10, "created_at": kit.clock() - age}
    row["blob"] = blob or _blob(kit, f"ab{name}", age=age)
    kit.store.write_now(lambda conn: conn.execute(sa.insert(artefacts), row))


def _drop(kit, drop_id, *, state, blob="nothing", settled=None):
    row = dict.fromkeys(("id", "account", "project", "feed", "upload_id", "file_name", "result_name"), drop_id)
    row |= {"seq": int(drop_id, 16), "blob": blob, "bytes": 1, "dry_run": False, "state": state, "summary": {}}
    row |= {"received_at": kit.clock() - 5 * DAY, "settled_at": settled and kit.clock() - settled}
    kit.store.write_now(lambda conn: conn.execute(sa.insert(drops), row))


def _upload(kit, upload_id, *, state, blob, age, verdict=None, drop_id=None):
    moment = kit.clock() - age
    row = {"id": upload_id, "account": "partner", "zone": "inbox", "name": upload_id, "blob": blob, "state": state}
    row |= {"verdict": verdict, "drop_id": drop_id, "modified_at": moment, "opened_at": moment}
    row["closed_at"] = None if state is UploadState.WRITING else moment
    kit.store.write_now(lambda conn: conn.execute(sa.insert(uploads), row))


def _names(kit, table, column):
    return sorted(kit.store.read_now(lambda conn: conn.scalars(sa.select(column).select_from(table)).all()))


def _stored(kit):
    return sorted(file.name for file in kit.spool.root.glob("*/*/*") if file.is_file())


async def test_reports_and_archived_files_go_after_their_own_time_and_their_bytes_with_them(kit):
    _artefact(kit, "old report", zone="outbox", age=21 * DAY)
    _artefact(kit, "report", zone="outbox", age=19 * DAY)
    _artefact(kit, "old original", zone="archive", age=11 * DAY)
    _artefact(kit, "original", zone="archive", age=9 * DAY)
    _artefact(kit, "help", zone="help", age=900 * DAY)
    assert await expire(kit=kit) == Removed(artefacts=2, blobs=2)
    assert _names(kit, artefacts, artefacts.c.name) == ["help", "original", "report"]
    assert _stored(kit) == ["abhelp", "aboriginal", "abreport"]


async def test_expiring_again_removes_nothing_more(kit):
    _artefact(kit, "old report", zone="outbox", age=21 * DAY)
    await expire(kit=kit)
    assert await expire(kit=kit) == Removed()


async def test_bytes_that_another_artefact_names_stay(kit):
    blob = _blob(kit, "abshared", age=30 * DAY)
    _artefact(kit, "old", zone="archive", age=11 * DAY, blob=blob)
    _artefact(kit, "new", zone="archive", age=1 * DAY, blob=blob)
    assert await expire(kit=kit) == Removed(artefacts=1)
    assert _stored(kit) == ["abshared"]


async def test_bytes_of_a_drop_that_is_still_on_its_way_stay(kit):
    _artefact(kit, "old", zone="archive", age=11 * DAY)
    _drop(kit, "1", state=DropState.HELD, blob="abold")
    assert await expire(kit=kit) == Removed(artefacts=1)
    assert _stored(kit) == ["abold"]


async def test_abandoned_uploads_go_after_their_time_and_can_be_resumed_until_then(kit):
    for name, age in (("old", 4 * DAY), ("young", 2 * DAY)):
        blob = _blob(kit, f"cd{name}", age=age)
        _upload(kit, name, state=UploadState.DONE, verdict=UploadVerdict.ABANDONED, blob=blob, age=age)
    assert await expire(kit=kit) == Removed(uploads=1, blobs=1)
    assert _names(kit, uploads, uploads.c.id) == ["young"]
    assert _stored(kit) == ["cdyoung"]


async def test_what_no_row_names_goes_when_it_is_a_day_old(kit):
    _blob(kit, "eeorphan", age=25 * timedelta(hours=1))
    _blob(kit, "eeyoung", age=23 * timedelta(hours=1))
    assert await expire(kit=kit) == Removed(blobs=1)
    assert _stored(kit) == ["eeyoung"]


async def test_what_an_upload_or_an_unsettled_drop_names_is_no_orphan(kit):
    for blob in ("writing", "closed", "part", "reported", "settled", "long settled"):
        _blob(kit, blob, age=2 * DAY)
    _upload(kit, "1", state=UploadState.WRITING, blob="writing", age=2 * DAY)
    _upload(kit, "2", state=UploadState.CLOSED, blob="closed", age=2 * DAY)
    _upload(kit, "3", state=UploadState.DONE, verdict=UploadVerdict.PART, blob="part", age=2 * DAY, drop_id="a")
    _drop(kit, "a", state=DropState.REPORTED, blob="reported")
    _drop(kit, "b", state=DropState.SETTLED, blob="settled", settled=DAY / 2)
    _drop(kit, "c", state=DropState.SETTLED, blob="long settled", settled=2 * DAY)
    assert await expire(kit=kit) == Removed(blobs=1)
    assert "long settled" not in _stored(kit)
    assert len(_stored(kit)) == 5


async def test_work_folders_go_a_day_after_their_last_change_once_their_drop_is_settled(kit):
    for drop_id, age in (("a", 2), ("b", 2), ("c", 2), ("d", 0)):
        folder = kit.spool.work(drop_id)
        (folder / "plan-00001.arrow").write_bytes(b"x")
        moment = (kit.clock() - age * DAY).timestamp()
        os.utime(folder, (moment, moment))
    _drop(kit, "a", state=DropState.SETTLED)
    _drop(kit, "b", state=DropState.PLANNED)
    assert await expire(kit=kit) == Removed(work_folders=2)
    assert sorted(folder.name for folder in (kit.spool.root / "work").iterdir()) == ["b", "d"]


async def test_more_than_one_batch_goes_at_once(kit):
    for no in range(12):
        _artefact(kit, f"{no}", zone="outbox", age=30 * DAY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flatfile_sync.pipeline.retention._BATCH", 5)
        assert await expire(kit=kit) == Removed(artefacts=12, blobs=12)


async def test_what_an_account_or_project_left_behind_goes_by_the_defaults(kit):
    _artefact(kit, "old", zone="archive", age=31 * DAY, account="gone")
    _artefact(kit, "young", zone="archive", age=29 * DAY, account="gone")
    kit.projects.projects.clear()
    _artefact(kit, "of a removed project", zone="archive", age=31 * DAY)
    assert await expire(kit=kit) == Removed(artefacts=2, blobs=2)
    assert _names(kit, artefacts, artefacts.c.name) == ["young"]

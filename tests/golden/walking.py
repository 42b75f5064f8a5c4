"""A case walked for real: received as the door does it, the whole line, deliveries in the sandbox, an outbox to read.

Ids are made from the case's name, time stands still but where the line waits, so a result set is the same each time.
"""

import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from unittest import mock
from uuid import UUID

import sqlalchemy as sa

from flatfile_sync.config.descriptor import NotificationsFile
from flatfile_sync.config.projects import ProjectFolder, read_notifications
from flatfile_sync.daemon.projects import READER
from flatfile_sync.domain.drop import Drop, Upload
from flatfile_sync.domain.naming import result_name
from flatfile_sync.domain.project import GuardAction, Project
from flatfile_sync.domain.states import DropState, Platform
from flatfile_sync.pipeline import erasing, operate, receive
from flatfile_sync.pipeline.deliver import confirm, deliver
from flatfile_sync.pipeline.kit import Kit
from flatfile_sync.pipeline.line import advance
from flatfile_sync.spool.local import Spool
from flatfile_sync.store import artefacts, deliveries, drops, lanes
from flatfile_sync.store.accounts import Account
from flatfile_sync.store.database import Store
from flatfile_sync.store.tables import identifiers, passes
from tests.doubles import START, InlineCompute, ManualClock, RecordingEngine
from tests.golden.cases import Case, find
from tests.golden.seeding import SCHEMAS
from tests.line import sandboxes

_HOUR = timedelta(hours=1)


class SampleProjects(ProjectFolder):
    """The example projects under a version that only their name decides, so that no sample changes with a comment."""

    def __init__(self, case: Case) -> None:
        super().__init__(SCHEMAS, READER)
        self._case = case

    def current(self, name: str) -> Project:
        project = super().current(name)
        version = hashlib.sha256(name.encode()).hexdigest()
        return replace(project, version=version, feeds=tuple(self._feed(feed) for feed in project.feeds))

    def _feed(self, feed):
        if feed.name != self._case.feed:
            return feed
        sidecar = self._case.sidecar
        asked = sidecar.get("guards", {})
        action = GuardAction(asked.get("action", feed.guards.action))
        guards = replace(feed.guards, **(asked | {"action": action}))
        if "notifications" in sidecar:
            told = NotificationsFile(**sidecar["notifications"])
            feed = replace(feed, notifications=read_notifications(told, {}))
        layers = replace(feed.layers, **sidecar.get("layers", {}))
        return replace(feed, guards=guards, layers=layers, **sidecar.get("limits", {}))


@dataclass
class Walk:
    """One partner's files, one after the other."""

    case: Case
    kit: Kit
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account("partner", self.case.project, (), START, None)

    async def put(self, data: bytes, *, feed: str, name: str, zone: str = "inbox", ending: str = "closed") -> Upload:
        """Upload a file as the door does."""
        place = receive.Place(zone=zone, folder=feed or None, name=name)
        upload, descriptor = await receive.begin(self.account, place, resume=False, kit=self.kit)
        os.write(descriptor, data)
        if ending == "lost":
            os.close(descriptor)
            await receive.abandon(upload, size=len(data), reason="the connection was lost", kit=self.kit)
            return upload
        sha256 = hashlib.sha256(data).hexdigest()
        ended = data.endswith(b"\n")
        upload = await receive.close(
            self.account, upload, descriptor, size=len(data), sha256=sha256, ended=ended, kit=self.kit
        )
        if ending == "removed":
            await receive.remove(self.account, place, kit=self.kit)
        if ending == "overwritten":
            await self.put(data, feed=feed, name=name, zone=zone)
        return upload

    async def finish(self, drop_id: str) -> Drop:
        """Walk a drop to its end, or to where it is held."""
        drop = self.drop(drop_id)
        if drop.due_at is not None and drop.due_at > self.kit.clock():
            self.kit.clock.set(drop.due_at)
        await advance(drop_id, kit=self.kit)
        for _ in range(4):  # a delivery that fails twice gets through
            for platform in Platform:
                await deliver(platform.value, kit=self.kit)
                await confirm(platform.value, kit=self.kit)
            self.kit.clock.advance(timedelta(seconds=30))
        await advance(drop_id, kit=self.kit)
        drop = self.drop(drop_id)
        if drop.state is DropState.REPORTED:
            await self.wait(drop)
            await advance(drop_id, kit=self.kit)
        return self.drop(drop_id)

    async def wait(self, drop: Drop) -> None:
        """Send what becomes due before the drop's horizon, then let it come."""
        for platform in Platform:
            due = self.kit.store.read_now(lambda conn, name=platform.value: lanes.next_due(conn, name))
            if due is not None and self.kit.clock() < due < drop.horizon_at:
                self.kit.clock.set(due)
                for name in Platform:
                    await deliver(name.value, kit=self.kit)
        if self.kit.store.read_now(lambda conn: deliveries.any_open(conn, drop.id)):
            self.kit.clock.set(drop.horizon_at)

    async def others(self, entries: list[dict]) -> str:
        """Drop and walk the partner's other files; return the result name of the last."""
        last = ""
        for entry in entries:
            other = find(f"{self.case.project}/{entry['file']}") if "file" in entry else None
            data = other.data if other else entry["text"].lstrip("\n").encode()
            feed = entry.get("feed", self.case.feed)
            upload = await self.put(data, feed=feed, name=entry.get("name", self.case.path.name))
            last = (await self.finish(upload.drop_id)).result_name
        return last

    def drop(self, drop_id: str) -> Drop:
        return self.kit.store.read_now(lambda conn: drops.by_id(conn, drop_id))

    def artefacts(self, stem: str, feed: str) -> dict[str, bytes]:
        """Return what the outbox shows under a result name, without that name."""
        rows = self.kit.store.read_now(lambda conn: artefacts.listing(conn, "partner", "outbox", feed))
        return {
            row.name.removeprefix(f"{stem}."): self.kit.spool.path(row.blob).read_bytes()
            for row in rows
            if row.name.startswith(f"{stem}.")
        }


async def walk(case: Case, store: Store, spool: Spool, *, chunk_records: int = 1000) -> dict[str, bytes]:
    """Return the artefacts of a case by kind."""
    sidecar = case.sidecar
    kit = Kit(
        store=store,
        spool=spool,
        compute=InlineCompute(),
        projects=SampleProjects(case),
        platforms=sandboxes(),
        engine=RecordingEngine(),
        clock=ManualClock(START - _HOUR),
        chunk_records=chunk_records,
    )
    steps = Walk(case, kit)
    with _ids(case.name):
        before = await steps.others(sidecar.get("before", []))
        for key in sidecar.get("erased", []):
            _erase(store, kit, case.project, key)
        kit.clock.set(START)
        name = sidecar.get("name", case.path.name).format(before=before)
        zone, ending = sidecar.get("zone", "inbox"), sidecar.get("ending", "closed")
        upload = await steps.put(case.data, feed=case.feed, name=name, zone=zone, ending=ending)
        if upload.drop_id is None:
            return steps.artefacts(result_name(upload.name, START, upload.id), case.feed)
        drop = await steps.finish(upload.drop_id)
        if "then" in sidecar:
            assert drop.state is DropState.HELD, f"{case.name}: the drop is {drop.state}, not held"
            await steps.others(sidecar.get("meanwhile", []))
            _remove(store, sidecar.get("removed_passes", []))
            decide = {"released": operate.release, "cancelled": operate.cancel}[sidecar["then"]]
            store.write_now(lambda conn: decide(conn, drop, spool=spool, clock=kit.clock))
            drop = await steps.finish(drop.id)
        assert drop.state is DropState.SETTLED, f"{case.name}: the drop is {drop.state} ({drop.last_error})"
        return steps.artefacts(drop.result_name, case.feed)


def _remove(store: Store, ids: list[str]) -> None:
    """Remove passes as an operator would who has to erase somebody's data."""

    def work(conn):
        chosen = sa.select(passes.c.no).where(passes.c.id.in_(ids))
        conn.execute(sa.delete(identifiers).where(identifiers.c.pass_no.in_(chosen)))
        conn.execute(sa.delete(passes).where(passes.c.id.in_(ids)))

    store.write_now(work)


def _erase(store: Store, kit: Kit, project: str, key: str) -> None:
    def work(conn):
        found = kit.projects.current(project)
        erasing.erase(conn, erasing.find_person(conn, key, found), found, clock=kit.clock)

    store.write_now(work)


@contextmanager
def _ids(seed: str):
    """Let the door's ids follow from the case's name."""
    numbers = iter(range(1_000_000))

    def next_id():
        return UUID(hex=hashlib.sha256(f"{seed}/{next(numbers)}".encode()).hexdigest()[:32])

    with mock.patch.object(receive, "uuid4", next_id):
        yield

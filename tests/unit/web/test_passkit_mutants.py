"""Web services with one mistake each: the device double, or what its holder sees, gives every one of them away."""

from dataclasses import replace
from email.utils import format_datetime

import orjson
import pytest
import sqlalchemy as sa
from starlette.responses import JSONResponse, Response

from flatfile_sync.store import registrations as registrations_of
from flatfile_sync.store.tables import passes
from flatfile_sync.store.wallet_tables import registrations
from flatfile_sync.web.passkit import Name, PassKit, Registering, Shown
from tests.marks import needs_openssl
from tests.web_line import Site

pytestmark = needs_openssl


class NumericTag(PassKit):
    """Says `lastUpdated` as a number."""

    async def changed(self, device: Name, identifier: Name, passesUpdatedSince: str = "") -> Response:  # noqa: N803
        answer = await super().changed(device, identifier, passesUpdatedSince)
        if answer.status_code == 204:
            return answer
        told = orjson.loads(answer.body)
        return JSONResponse(told | {"lastUpdated": int(told["lastUpdated"])})


class OnlyTheLast(PassKit):
    """Lists the passes that have the highest tag of all, and forgets those changed before them."""

    async def changed(self, device: Name, identifier: Name, passesUpdatedSince: str = "") -> Response:  # noqa: ARG002, N803
        def look(conn):
            joined = registrations.join(passes, passes.c.no == registrations.c.pass_no)
            mine = registrations.c.device == device
            last = conn.execute(sa.select(sa.func.max(passes.c.tag)).select_from(joined).where(mine)).scalar_one()
            if last is None or str(last) == passesUpdatedSince:
                return [], last
            rows = conn.execute(sa.select(passes.c.id).select_from(joined).where(mine, passes.c.tag == last))
            return list(rows.scalars()), last

        serials, last = await self.kit.store.read(look)
        if not serials:
            return Response(status_code=204)
        return JSONResponse({"serialNumbers": serials, "lastUpdated": str(last)})


class FirstTokenStays(PassKit):
    """Answers 200 to a registration that it knows, and forgets the new token."""

    async def register(
        self, device: Name, identifier: Name, serial: Name, body: Registering, authorization: Shown = ""
    ) -> Response:
        row = await self._held(identifier, serial, authorization)

        def work(conn):
            chosen = (registrations.c.device == device) & (registrations.c.pass_no == row.no)
            if conn.execute(sa.select(registrations.c.device).where(chosen)).first():
                return False
            return registrations_of.add(
                conn, device=device, pass_no=row.no, push_token=body.push_token, now=self.kit.clock()
            )

        return Response(status_code=201 if await self.kit.store.write(work) else 200)


class ClockAsLastModified(Site):
    """Says the clock's second of the last change, so that two changes within one have the same."""

    def change(self, *pass_ids, **values):
        second = self.clock().replace(microsecond=0)
        super().change(*pass_ids, **values)

        def set_back(conn):
            conn.execute(sa.update(passes).where(passes.c.id.in_(pass_ids)).values(modified_at=second))

        self.store.write_now(set_back)


def site_of(kind, store, clock):
    """Return a site whose service has one mistake."""
    site = Site(store=store, clock=clock)
    site.passkit = kind(**{name: getattr(site.passkit, name) for name in PassKit.__dataclass_fields__})
    return site


def gold(number):
    return {"memberId": f"M{number}"}, {"additionalData.points": 100, "additionalData.tier": "Gold"}, 0, 0


async def walk(site, folder):
    """Live with two passes for a while: a token changes, both passes change, one twice within a second."""
    serials = site.seed(gold(1), gold(2))
    async with site.open(folder):
        device = site.device()
        for serial in serials:
            await device.add(await site.pkpass(serial))
        await device.wake()
        await device.rotate_token()
        site.change(serials[0], **{"additionalData.points": 1})
        site.change(serials[1], **{"additionalData.points": 2})
        await device.wake()
        site.change(serials[1], **{"additionalData.points": 3})
        await device.wake()
    return device, {token for serial in serials for token in site.tokens(serial)}


SHOWN = [f"You now have {points} points" for points in (1, 2, 3)]


async def test_the_service_itself_passes(sqlite_store, clock, tmp_path):
    """What the mutants fail, the real one does not."""
    device, tokens = await walk(site_of(PassKit, sqlite_store, clock), tmp_path)
    assert (device.faults, device.posted, sorted(device.shown)) == ([], [], SHOWN)
    assert tokens == {device.push_token}


async def test_a_numeric_last_updated_is_caught(sqlite_store, clock, tmp_path):
    """A device never fetches then."""
    device, _ = await walk(site_of(NumericTag, sqlite_store, clock), tmp_path)
    assert device.faults
    assert "no string" in device.faults[0]
    assert device.shown == []


async def test_two_changes_of_one_second_with_one_last_modified_are_caught(sqlite_store, clock, tmp_path):
    """The second is answered 304 and never seen."""
    site = ClockAsLastModified(store=sqlite_store, clock=clock)
    device, _ = await walk(site, tmp_path)
    assert "You now have 3 points" not in device.shown
    assert any("but the pass was unchanged" in line for line in device.posted)


async def test_a_list_of_only_the_newest_change_is_caught(sqlite_store, clock, tmp_path):
    """The pass that changed before the other one stays as it was."""
    device, _ = await walk(site_of(OnlyTheLast, sqlite_store, clock), tmp_path)
    assert "You now have 1 points" not in device.shown


async def test_a_push_token_that_is_not_updated_is_caught(sqlite_store, clock, tmp_path):
    """The next push would go to a token that is dead."""
    device, tokens = await walk(site_of(FirstTokenStays, sqlite_store, clock), tmp_path)
    assert device.push_token not in tokens


@pytest.mark.parametrize("changed", ["authenticationToken", "serialNumber"])
async def test_a_token_or_a_serial_number_that_changes_is_caught(sqlite_store, clock, tmp_path, changed):
    """Neither may change in an update."""
    site = Site(store=sqlite_store, clock=clock)
    (serial,) = site.seed(gold(1))
    async with site.open(tmp_path):
        device = site.device()
        pkpass = await site.pkpass(serial)
        held = device._open(pkpass)
        device.wallet[serial] = replace(held, told=held.told | {changed: "x" * 20})
        fresh = device._open(pkpass)
        fresh.modified = format_datetime(clock(), usegmt=True)
        device.take(device.wallet[serial], fresh)
    assert len(device.faults) == 1
    assert device.faults[0].startswith(f"{changed} of ")

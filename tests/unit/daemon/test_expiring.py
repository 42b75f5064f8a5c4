"""Certificates that end soon are told of once for each step, however often somebody looks."""

from datetime import timedelta

import pytest

from flatfile_sync.daemon.expiring import EVENT, warn
from flatfile_sync.store import audit
from flatfile_sync.wallets.apple.certificates import PassCertificate
from tests.apple_keys import PASS_TYPE_IDENTIFIER, TEAM_IDENTIFIER, apple_keys
from tests.doubles import START, ManualClock

ENDS = START + timedelta(days=61)


@pytest.fixture
def certificate():
    keys = apple_keys(not_after=ENDS)
    return PassCertificate(
        pass_type_identifier=PASS_TYPE_IDENTIFIER,
        team_identifier=TEAM_IDENTIFIER,
        leaf=keys.leaf,
        chain=(keys.wwdr,),
        key=keys.key,
    )


async def test_a_certificate_is_told_of_sixty_thirty_and_seven_days_ahead(certificate, sqlite_store):
    clock = ManualClock()
    told = []
    for _ in range(62):
        told.append(await warn(certificate, store=sqlite_store, clock=clock))
        told.append(await warn(certificate, store=sqlite_store, clock=clock))
        clock.advance(timedelta(days=1))
    assert [day // 2 for day, count in enumerate(told) if count] == [1, 31, 54, 61]
    events = sqlite_store.read_now(lambda conn: audit.events(conn, EVENT))
    assert [event["step"] for event in events] == [60, 30, 7, 0]
    assert {event["certificate"] for event in events} == {f"Pass Type ID: {PASS_TYPE_IDENTIFIER}"}

"""Who goes next: lane before lane, and no project's backlog in another project's way."""

from collections import Counter
from datetime import timedelta

import pytest

from flatfile_sync.domain.states import DeliveryState, Lane, Outcome, Purpose
from flatfile_sync.store import deliveries, lanes, passes
from flatfile_sync.store.passes import PassRow
from flatfile_sync.store.tables import micros
from tests.doubles import START

LATER = START + timedelta(hours=1)


@pytest.fixture
def owe(store):
    """Owe content of so many passes of a project, made for it."""

    def work(project, count, *, lane=Lane.BULK, due=START, platform="apple"):
        def write(conn):
            blank = (0, "", project, "card", "active", 1, "{}", None, "{}", 1, 1, 0)
            rows = [PassRow(*blank)._replace(id=f"{project}{lane}{n}{due}") for n in range(count)]
            made = passes.create_many(conn, rows, tag=0, created_at=0)
            told = {"project": project, "lane": lane, "drop_id": f"drop-{project}", "due_at": micros(due)}
            deliveries.owe_content(conn, [(row.no, platform, 1, row.no) for row in made], **told)
            return [row.no for row in made]

        return store.write_now(write)

    return work


def take(store, limit, now=START):
    taken = store.write_now(lambda conn: lanes.take(conn, "apple", limit=limit, now=now))
    return Counter((entry.project, entry.lane) for entry in taken)


def test_a_small_project_does_not_wait_for_a_large_one(store, owe):
    owe("large", 50)
    owe("small", 3)
    owe("tiny", 1)
    assert take(store, 12) == {("large", Lane.BULK): 8, ("small", Lane.BULK): 3, ("tiny", Lane.BULK): 1}
    assert take(store, 12) == {("large", Lane.BULK): 12}


def test_projects_of_equal_appetite_get_equal_shares(store, owe):
    for name in ("a", "b", "c"):
        owe(name, 20)
    assert take(store, 9) == {(name, Lane.BULK): 3 for name in ("a", "b", "c")}
    assert sum(take(store, 10).values()) == 10


def test_of_more_projects_than_there_is_room_for_those_that_waited_longest_go(store, owe):
    for place, name in enumerate(("a", "b", "c", "d")):
        owe(name, 2, due=START - timedelta(minutes=place))
    assert take(store, 2) == {("d", Lane.BULK): 1, ("c", Lane.BULK): 1}


def test_a_lane_goes_before_the_next_whatever_project_has_it(store, owe):
    owe("a", 5, lane=Lane.BULK)
    owe("b", 2, lane=Lane.OPERATIONAL)
    owe("c", 2, lane=Lane.TRANSACTIONAL, due=LATER)
    assert take(store, 4) == {("b", Lane.OPERATIONAL): 2}
    assert take(store, 4) == {("a", Lane.BULK): 4}
    assert take(store, 4, LATER) == {("c", Lane.TRANSACTIONAL): 2}


def test_the_oldest_go_first_within_a_project(store, owe):
    late, early = owe("a", 2), owe("a", 2, due=START - timedelta(minutes=1))
    taken = store.write_now(lambda conn: lanes.take(conn, "apple", limit=3, now=START))
    assert [entry.pass_no for entry in taken] == [*early, late[0]]


def test_the_next_is_due_when_the_earliest_of_any_lane_and_project_is(store, owe):
    assert store.read_now(lambda conn: lanes.next_due(conn, "apple")) is None
    owe("a", 1, due=LATER)
    owe("b", 1, lane=Lane.MARKETING, due=START + timedelta(minutes=3))
    owe("c", 1, due=START, platform="google")
    assert store.read_now(lambda conn: lanes.next_due(conn, "apple")) == START + timedelta(minutes=3)


def owe_message(conn, number, **times):
    due, until = (times.get(name) for name in ("due", "until"))
    owed = ("a", number, "apple", 1, int(Lane.MARKETING), "d1", number, micros(due or START))
    texts, purpose = '{"": "Sale"}', Purpose.MARKETING.value
    deliveries.owe_messages(conn, [(*owed, texts, purpose, micros(until) if until else None)])


def state_of(store, number):
    [row] = store.read_now(lambda conn: deliveries.of_drop(conn, "d1", [number]))
    return row.state, row.outcome, row.attempts


def test_only_messages_that_still_wait_expire(store, owe):
    first, second, third = owe("a", 3, platform="google")

    def write(conn):
        owe_message(conn, first, until=START)
        owe_message(conn, second, until=LATER)
        owe_message(conn, third)

    store.write_now(write)
    assert take(store, 9) == {("a", Lane.MARKETING): 2}
    assert state_of(store, first) == (DeliveryState.SETTLED, Outcome.EXPIRED, 0)
    # On the wire it may have arrived already: only its platform knows.
    assert take(store, 9, LATER) == {}
    assert state_of(store, second) == (DeliveryState.SENDING, None, 1)


def test_what_is_deferred_waits_as_if_it_had_not_been_taken(store, owe):
    [number] = owe("a", 1, platform="google")
    store.write_now(lambda conn: owe_message(conn, number))
    for _ in range(3):
        [taken] = store.write_now(lambda conn: lanes.take(conn, "apple", limit=1, now=LATER))
        store.write_now(lambda conn, taken=taken: deliveries.defer_many(conn, [(taken.id, LATER)], reason="later"))
        assert state_of(store, number) == (DeliveryState.DUE, None, 0)
    assert take(store, 1) == {}


def test_what_stands_before_a_drop_is_all_of_its_lane_and_of_those_before(store, owe):
    owe("a", 7, lane=Lane.BULK)
    owe("b", 5, lane=Lane.OPERATIONAL)
    owe("c", 3, lane=Lane.TRANSACTIONAL)
    found = [store.read_now(lambda conn, name=name: lanes.standing_before(conn, f"drop-{name}")) for name in "abcx"]
    assert found == [{"apple": 15}, {"apple": 8}, {"apple": 3}, {}]

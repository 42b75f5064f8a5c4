import threading

import pytest
import sqlalchemy as sa

from flatfile_sync.store import counters
from flatfile_sync.store.dialects import (
    insert_many,
    join_outwards,
    key_set,
    next_tag,
    update_many,
    visible_below,
)
from flatfile_sync.store.tables import attempts, audit, chunks, passes

AWKWARD = [
    "plain",
    "",
    "Zoë 💳 日本",
    'it\'s "quoted"',
    "back\\slash \\N \\. \\t",
    "tab\tnewline\nreturn\r\n",
    "NULL",
    "%s ? :name",
]


def test_a_key_set_holds_its_keys_on_a_read_only_snapshot(store):
    def read(conn):
        texts = key_set(conn, AWKWARD)
        numbers = key_set(conn, [1, 2**40, -(2**62)], name="numbers")
        return conn.scalars(sa.select(texts.c.value)).all(), conn.scalars(sa.select(numbers.c.value)).all()

    texts, numbers = store.read_now(read)
    assert texts == AWKWARD
    assert numbers == [1, 2**40, -(2**62)]


@pytest.mark.parametrize("count", [0, 1, 50_000])
def test_a_key_set_may_have_any_size(store, count):
    def read(conn):
        keys = key_set(conn, list(range(count)), kind=int)
        joined = keys.outerjoin(attempts, attempts.c.id == keys.c.value)
        return conn.scalar(sa.select(sa.func.count()).select_from(joined))

    assert store.read_now(read) == count


def test_joining_outwards_finds_the_rows_of_the_keys(store):
    def read(conn):
        keys = key_set(conn, ["b", "a", "x"])
        query = join_outwards(conn, keys, chunks, chunks.c.drop_id == keys.c.value)
        return sorted(conn.execute(query.add_columns(chunks.c.drop_id, chunks.c.no)).all())

    store.write_now(lambda conn: _insert_chunks(conn, [("a", 1), ("a", 2), ("b", 1), ("c", 1)]))
    assert store.read_now(read) == [("a", 1), ("a", 2), ("b", 1)]


def test_sqlite_keeps_the_order_of_an_outward_join(sqlite_store):
    def plan(conn):
        keys = key_set(conn, ["a"])
        query = join_outwards(conn, keys, chunks, chunks.c.drop_id == keys.c.value).add_columns(chunks.c.no)
        text = str(query.compile(conn, compile_kwargs={"literal_binds": True}))
        return text, [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    text, steps = sqlite_store.read_now(plan)
    assert "CROSS JOIN" in text
    assert [step.split()[:2] for step in steps] == [["SCAN", "keys"], ["SEARCH", "chunks"]]


def test_a_join_outwards_is_not_mistaken_for_a_plain_join_in_the_statement_cache(sqlite_store):
    def compile_both(conn):
        keys = key_set(conn, ["a"])
        outwards = join_outwards(conn, keys, chunks, chunks.c.drop_id == keys.c.value).add_columns(chunks.c.no)
        plain = sa.select(chunks.c.no).select_from(keys.join(chunks, sa.true())).where(chunks.c.drop_id == keys.c.value)
        return outwards._generate_cache_key(), plain._generate_cache_key()

    outwards, plain = sqlite_store.read_now(compile_both)
    assert outwards != plain


def test_text_arrives_as_it_was_given_and_nothing_stays_nothing(store):
    rows = [(f"drop {no}", no, "main", no, text, text or None, None) for no, text in enumerate(AWKWARD)]
    columns = ("drop_id", "no", "kind", "records", "plan_file", "verdict_file", "applied_at")
    store.write_now(lambda conn: insert_many(conn, chunks, columns, iter(rows)))
    query = sa.select(*(chunks.c[name] for name in columns)).order_by(chunks.c.no)
    assert store.read_now(lambda conn: [tuple(row) for row in conn.execute(query)]) == rows


def test_booleans_json_text_and_large_numbers_go_in_as_the_database_stores_them(store):
    def write(conn):
        insert_many(conn, audit, ("at", "actor", "event", "details"), [(2**52, "operator", "x", '{"a": [1, null]}')])
        return conn.execute(sa.select(audit.c.details, sa.type_coerce(audit.c.at, sa.BigInteger))).one()

    details, at = store.write_now(write)
    assert (details, at) == ({"a": [1, None]}, 2**52)


def test_inserting_or_updating_nothing_is_nothing(store):
    def write(conn):
        insert_many(conn, chunks, ("drop_id", "no"), [])
        update_many(conn, attempts, "id", ("detail",), [])
        return conn.scalar(sa.select(sa.func.count()).select_from(chunks))

    assert store.write_now(write) == 0


def test_many_rows_are_updated_by_their_key_and_others_stay(store):
    def write(conn):
        _insert_attempts(conn, 100)
        found = [(text, None if index % 2 else index, index + 1) for index, text in enumerate(AWKWARD)]
        update_many(conn, attempts, "id", ("detail", "ended_at"), iter([*found, ("nobody", 1, 4711)]))
        return found

    found = store.write_now(write)
    ended = sa.type_coerce(attempts.c.ended_at, sa.BigInteger)
    query = sa.select(attempts.c.detail, ended, attempts.c.id).order_by(attempts.c.id)
    rows = store.read_now(lambda conn: [tuple(row) for row in conn.execute(query)])
    assert rows[: len(AWKWARD)] == found
    assert rows[len(AWKWARD) :] == [("before", None, no) for no in range(len(AWKWARD) + 1, 101)]


def test_updates_of_other_columns_follow_each_other_in_one_transaction(store):
    def write(conn):
        _insert_attempts(conn, 3)
        update_many(conn, attempts, "id", ("detail",), [("one", 1)])
        update_many(conn, attempts, "id", ("detail",), [("two", 2)])
        update_many(conn, attempts, "id", ("platform", "detail"), [("google", "three", 3)])

    store.write_now(write)
    # And once more on the same pooled connection, which has kept its staging tables.
    store.write_now(lambda conn: update_many(conn, attempts, "id", ("platform",), [("google", 1)]))
    query = sa.select(attempts.c.platform, attempts.c.detail).order_by(attempts.c.id)
    assert store.read_now(lambda conn: [tuple(row) for row in conn.execute(query)]) == [
        ("google", "one"),
        ("apple", "two"),
        ("google", "three"),
    ]


def test_tags_of_transactions_one_after_the_other_rise(store):
    first = store.write_now(next_tag)
    between = store.read_now(visible_below)
    second = store.write_now(next_tag)
    assert first < between <= second < store.read_now(visible_below)


def test_a_tag_is_the_same_all_through_one_postgresql_transaction(postgresql_store):
    first, second = postgresql_store.write_now(lambda conn: (next_tag(conn), next_tag(conn)))
    assert first == second


def test_a_later_tag_that_commits_first_stays_hidden_until_the_earlier_has_committed(postgresql_store):
    store = postgresql_store
    tagged, may_commit = threading.Event(), threading.Event()
    tags = []

    def slow(conn):
        tags.append(next_tag(conn))
        _insert_pass(conn, "slow", tags[0])
        tagged.set()
        assert may_commit.wait(20)

    def fast(conn):
        tags.append(next_tag(conn))
        _insert_pass(conn, "fast", tags[1])

    thread = threading.Thread(target=store.write_now, args=(slow,))
    thread.start()
    assert tagged.wait(20)
    store.write_now(fast)
    assert tags[0] < tags[1]
    assert store.read_now(_listed) == []
    may_commit.set()
    thread.join(20)
    assert store.read_now(_listed) == ["slow", "fast"]


def _listed(conn):
    query = sa.select(passes.c.id).where(passes.c.tag < visible_below(conn)).order_by(passes.c.tag)
    return conn.scalars(query).all()


def _insert_pass(conn, pass_id, tag):
    columns = "no, id, project, pass_type, status, revision, document, writers, tag, created_at, modified_at"
    no = counters.advance(conn, "pass_no") if pass_id == "fast" else 4711
    conn.exec_driver_sql(
        f"INSERT INTO passes ({columns}) VALUES ({no}, '{pass_id}', 'p', 't', 'active', 1, '{{}}', '{{}}', {tag}, 0, 0)"
    )


def _insert_chunks(conn, keys):
    rows = [(drop_id, no, "main", 1, "plan") for drop_id, no in keys]
    insert_many(conn, chunks, ("drop_id", "no", "kind", "records", "plan_file"), rows)


def _insert_attempts(conn, count):
    rows = [(no, "apple", 1, 1, 0, "before") for no in range(1, count + 1)]
    insert_many(conn, attempts, ("id", "platform", "epoch", "deliveries", "started_at", "detail"), rows)

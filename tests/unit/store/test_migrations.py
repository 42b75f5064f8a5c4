import re
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.store import migrate
from flatfile_sync.store.database import Store
from flatfile_sync.store.migrate import HEAD, current_revision, prepare
from flatfile_sync.store.tables import METADATA, counters
from flatfile_sync.store.wallet_tables import registrations

COUNTERS = dict.fromkeys(("epoch", "close_seq", "tag", "pass_no"), 0)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return request.getfixturevalue("empty_postgresql_url")


@pytest.fixture
def empty_store(empty_url):
    store = Store(empty_url)
    yield store
    store.close()


def test_an_empty_database_stands_at_no_revision_and_a_prepared_one_at_the_head(empty_store):
    assert empty_store.read_now(current_revision) is None
    prepare(empty_store)
    assert empty_store.read_now(current_revision) == HEAD
    assert empty_store.read_now(_counters) == COUNTERS


def test_the_head_is_the_last_revision_in_the_folder():
    config = Config()
    config.set_main_option("script_location", "flatfile_sync.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_the_migrated_schema_is_that_of_the_tables(store):
    def differences(conn):
        # SQLite reflects a default '' as text that Alembic takes for another one; the next test compares it there.
        options = {"compare_type": True, "compare_server_default": not store.is_sqlite}
        return compare_metadata(MigrationContext.configure(conn, opts=options), METADATA)

    assert store.read_now(differences) == []


def test_every_index_and_table_option_is_that_of_the_tables(store):
    # What Alembic does not compare: predicates of partial indexes, fillfactor, WITHOUT ROWID.
    def make_anew(conn):
        METADATA.drop_all(conn)
        METADATA.create_all(conn)

    migrated = store.read_now(_definitions)
    store.write_now(make_anew)
    assert migrated == store.read_now(_definitions)
    assert set(METADATA.tables) < set(migrated)
    assert registrations.name in migrated


def test_preparing_again_keeps_what_is_there_and_adds_only_missing_counters(store):
    def disturb(conn):
        conn.execute(sa.update(counters).values(value=7).where(counters.c.name == "epoch"))
        conn.execute(sa.delete(counters).where(counters.c.name == "tag"))

    store.write_now(disturb)
    prepare(store)
    assert store.read_now(_counters) == COUNTERS | {"epoch": 7}


def test_a_url_will_do(empty_url, empty_store):
    prepare(empty_url)
    assert empty_store.read_now(current_revision) == HEAD


def test_a_database_of_a_newer_version_is_refused_with_its_revision(store):
    store.write_now(lambda conn: conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="9999"):
        prepare(store)


def test_a_failing_migration_leaves_nothing_behind(empty_store, monkeypatch):
    def fail(_conn):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(migrate, "_missing_counters", fail)
    with pytest.raises(RuntimeError, match="disk is full"):
        prepare(empty_store)
    assert empty_store.read_now(lambda conn: sa.inspect(conn).get_table_names()) == []


def test_preparing_a_current_database_costs_next_to_nothing(store):
    started = time.perf_counter()
    prepare(store)
    assert time.perf_counter() - started < 0.3


def test_a_revision_never_imports_the_tables_of_today():
    for file in Path(migrate.__file__).with_name("migrations").rglob("*.py"):
        assert "store.tables import" not in file.read_text(encoding="utf-8")


def _counters(conn):
    return dict(conn.execute(sa.select(counters.c.name, counters.c.value)).all())


def _parts(sql):
    """Return a definition as its parts: a column that was added later stands behind the others."""
    text = re.sub(r"\s+", " ", sql).replace("( ", "(").replace(" )", ")")
    head, rest = text.split("(", 1)
    body, tail = rest.rsplit(")", 1) if head.startswith("CREATE TABLE") else (rest, "")
    return head.strip(), sorted(part.strip() for part in re.split(r",(?![^(]*\))", body)), tail.strip()


def _definitions(conn):
    if conn.dialect.name == "sqlite":
        rows = conn.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: _parts(sql) for name, sql in rows if name != "alembic_version"}
    indexes = conn.exec_driver_sql("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    tables = conn.exec_driver_sql(
        "SELECT relname, reloptions::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    found = dict([*indexes, *tables])
    return {name: text for name, text in found.items() if not name.startswith("alembic_version")}

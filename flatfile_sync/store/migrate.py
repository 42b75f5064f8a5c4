"""Bringing a database to the schema this code speaks.

Alembic is imported only when there is something to do, so that starting on a current database costs one query.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.store.database import Store
from flatfile_sync.store.tables import counters

HEAD: Final = "0003"
_COUNTERS: Final = ("epoch", "close_seq", "tag", "pass_no")
# An advisory lock's key is any number of ours: two processes that prepare one PostgreSQL database take turns.
_LOCK: Final = 0x666C6174


def prepare(target: Store | str) -> None:
    """Upgrade the database of a store (or of a URL) to `HEAD` and add missing counters, in one transaction.

    Nothing happens on a database that is current. Raises `ConfigurationError` if it was made by a newer version.
    """
    if isinstance(target, Store):
        if target.read_now(_is_current):
            return
        target.write_now(_upgrade)
        return
    store = Store(target)
    try:
        prepare(store)
    finally:
        store.close()


def current_revision(conn: Connection) -> str | None:
    """Return the revision the database stands at, or None for an empty one."""
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    return conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def _is_current(conn: Connection) -> bool:
    return current_revision(conn) == HEAD and not _missing_counters(conn)


def _missing_counters(conn: Connection) -> list[str]:
    present = set(conn.execute(sa.select(counters.c.name)).scalars())
    return [name for name in _COUNTERS if name not in present]


def _upgrade(conn: Connection) -> None:
    if conn.dialect.name == "postgresql":
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    if current_revision(conn) != HEAD:
        _run_migrations(conn)
    for name in _missing_counters(conn):
        conn.execute(sa.insert(counters).values(name=name, value=0))


def _run_migrations(conn: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - half of what starting costs, needed once per release
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", "flatfile_sync.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    found = current_revision(conn)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            f"The database stands at revision {found}, which this version does not know (it knows {HEAD}): "
            "it was made by a newer flatfile-sync. Install that version, or restore the backup made before it."
        )
    command.upgrade(config, HEAD)

"""What SQLite and PostgreSQL need differently, each a function small enough to read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles

from flatfile_sync.store import counters


def is_sqlite(conn: Connection) -> bool:
    """Return whether the connection speaks to SQLite."""
    return conn.dialect.name == "sqlite"


def key_set(
    conn: Connection,
    values: Sequence[str] | Sequence[int],
    *,
    name: str = "keys",
    kind: type[str] | type[int] | None = None,
) -> sa.TableValuedAlias:
    """Return a row set with one column `value` that holds the given keys, bound as one parameter.

    It takes no write and no temporary table, so it works on a read-only snapshot. PostgreSQL wants to know what an
    empty set would hold: say `kind` where it may be empty, else it is text.
    """
    if is_sqlite(conn):
        return sa.func.json_each(orjson.dumps(values).decode()).table_valued("value", name=name)
    first = type(values[0]) if values else str
    element = sa.BigInteger if issubclass(kind or first, int) else sa.Text
    array = sa.cast(sa.literal(list(values), sa.ARRAY(element)), sa.ARRAY(element))
    return sa.func.unnest(array).table_valued(sa.column("value", element()), name=name).render_derived()


def join_outwards(
    conn: Connection,
    keys: sa.FromClause,
    table: sa.FromClause,
    on: sa.ColumnElement[bool],
    *further: tuple[sa.FromClause, sa.ColumnElement[bool]],
) -> sa.Select[Any]:
    """Return a select that joins from the small set to the large table, and from there to `further` (table, on).

    SQLite's planner once chose the other direction and took minutes; CROSS JOIN fixes the order there, and its
    condition stands in WHERE.
    """
    if is_sqlite(conn):
        joined: sa.FromClause = CrossJoin(keys, table)
        for other, _ in further:
            joined = CrossJoin(joined, other)
        return sa.select().select_from(joined).where(on, *(condition for _, condition in further))
    joined = keys.join(table, on)
    for other, condition in further:
        joined = joined.join(other, condition)
    return sa.select().select_from(joined)


class CrossJoin(sa.sql.selectable.Join):
    """SQLite's `a CROSS JOIN b`: never reordered by the planner (https://sqlite.org/optoverview.html, 7.3)."""

    inherit_cache = True
    __visit_name__ = "cross_join"

    def __init__(self, left: sa.FromClause, right: sa.FromClause) -> None:
        super().__init__(left, right, sa.true())


@compiles(CrossJoin)
def _compile_cross_join(element: CrossJoin, compiler: Any, **options: Any) -> str:
    options["asfrom"] = True
    return f"{compiler.process(element.left, **options)} CROSS JOIN {compiler.process(element.right, **options)}"


def fetch_tuples(conn: Connection, query: sa.Select[Any]) -> list[tuple[Any, ...]]:
    """Return rows as plain tuples from the driver, for sets of thousands: their values are used as they are stored."""
    with conn.execute(query) as result:
        cursor: Any = result.cursor
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def fetch_json(conn: Connection, query: sa.Select[Any]) -> bytes | str:
    """Return rows as one JSON array of arrays, for sets of thousands that another process reads.

    SQLite makes it in one step, without the interpreter's lock; a row after the other would ask for it each time.
    """
    if is_sqlite(conn):
        rows = query.subquery()
        whole = sa.func.coalesce(sa.func.json_group_array(sa.func.json_array(*rows.c)), "[]")
        text: str = conn.execute(sa.select(whole)).scalar_one()
        return text
    return orjson.dumps(fetch_tuples(conn, query))


def insert_many(conn: Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert tuples in the order of `columns`; values are already as the database stores them."""
    names = ", ".join(columns)
    if is_sqlite(conn):
        marks = ", ".join("?" * len(columns))
        data = list(rows)
        if data:
            conn.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", data)
        return
    _copy(conn, table.name, names, rows)


def insert_alike(
    conn: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], shared: Mapping[str, Any]
) -> None:
    """Insert tuples of numbers and text in the order of `columns`; what all of them share is given once."""
    if not is_sqlite(conn):
        insert_many(conn, table, [*columns, *shared], ((*row, *shared.values()) for row in rows))
    elif rows:
        names = ", ".join([*columns, *shared])
        marks = ", ".join([*(f"value ->> {place}" for place in range(len(columns))), *"?" * len(shared)])
        values = (*shared.values(), orjson.dumps(rows).decode())
        conn.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {marks} FROM json_each(?)", values)


def update_many(
    conn: Connection,
    table: sa.Table,
    key: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    shared: Mapping[str, int] | None = None,
) -> None:
    """Update rows by a key; each tuple holds the values of `columns`, then the key. A key stands in one tuple only.

    All rows get the numbers of `shared` too.
    """
    alike = [f"{column} = {number:d}" for column, number in (shared or {}).items()]
    if is_sqlite(conn):
        data = list(rows)
        if data:
            assignments = ", ".join([*(f"{column} = ?" for column in columns), *alike])
            conn.exec_driver_sql(f"UPDATE {table.name} SET {assignments} WHERE {key} = ?", data)
        return
    # One staged copy and one joined update: twenty times faster than an UPDATE per row over the wire.
    names = ", ".join([*columns, key])
    # A pooled connection keeps its temporary tables: one for each set of columns.
    staging = f"staged_{table.name}_{crc32(names.encode()):08x}"
    conn.exec_driver_sql(
        f"CREATE TEMP TABLE IF NOT EXISTS {staging} ON COMMIT DELETE ROWS AS SELECT {names} FROM {table.name} LIMIT 0"
    )
    conn.exec_driver_sql(f"TRUNCATE {staging}")
    _copy(conn, staging, names, rows)
    conn.exec_driver_sql(f"ANALYZE {staging}")
    assignments = ", ".join([*(f"{column} = s.{column}" for column in columns), *alike])
    conn.exec_driver_sql(f"UPDATE {table.name} t SET {assignments} FROM {staging} s WHERE t.{key} = s.{key}")


def _copy(conn: Connection, target: str, names: str, rows: Iterable[Sequence[Any]]) -> None:
    raw: Any = conn.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY {target} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def next_tag(conn: Connection) -> int:
    """Return the update tag for rows written in this transaction; tags follow commit order.

    SQLite: one writer, so a counter in the transaction is commit order. PostgreSQL: the transaction's own number;
    readers list only rows below `pg_snapshot_xmin(pg_current_snapshot())`, see `visible_below`.
    """
    if is_sqlite(conn):
        return counters.advance(conn, "tag")
    return int(conn.exec_driver_sql("SELECT pg_current_xact_id()::text::bigint").scalar_one())


def visible_below(conn: Connection) -> int:
    """Return the tag below which no later commit can still appear."""
    if is_sqlite(conn):
        return counters.current(conn, "tag") + 1
    return int(conn.exec_driver_sql("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint").scalar_one())

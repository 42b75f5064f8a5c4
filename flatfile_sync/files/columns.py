"""Arrow files of the work folder, written whole and read by column."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from flatfile_sync.domain.failures import DamagedFileError

PLAN: Final = pa.schema(
    [
        ("record", pa.int32()),
        ("line", pa.int32()),
        ("line_end", pa.int32()),
        ("offset", pa.int64()),
        ("length", pa.int32()),
        ("key", pa.string()),
        ("key_type", pa.string()),
        ("echo", pa.string()),
        ("op", pa.string()),
        ("patch", pa.string()),
        ("extra", pa.string()),
        ("issues", pa.string()),
        ("failed", pa.bool_()),
        ("pass_no", pa.int64()),
        ("pass_id", pa.string()),
        ("pass_type", pa.string()),
        ("ids", pa.string()),
        ("tail", pa.bool_()),
    ]
)
"""What each record asks for. `pass_no` 0 = no pass; negative = to be created by record `-pass_no`; `tail` = the record
is applied in a tail chunk."""

VERDICT: Final = pa.schema(
    [
        ("record", pa.int32()),
        ("status", pa.string()),
        ("changed", pa.string()),
        ("message", pa.string()),
        ("pass_no", pa.int64()),
        ("pass_id", pa.string()),
        ("revision", pa.int32()),
        ("apple", pa.string()),
        ("google", pa.string()),
        ("notification", pa.string()),
        ("link", pa.string()),
        ("applied_at", pa.int64()),
        ("issues", pa.string()),
    ]
)
"""What became of each record of a chunk; `applied_at` in microseconds, `issues` those found while applying."""


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow IPC file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def read_table(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """Return an Arrow IPC file, or some of its columns, mapped into memory."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
        table = reader.read_all()
    return table if names is None else table.select(list(names))


def read_lists(path: Path, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return columns of an Arrow file as lists."""
    table = read_table(path, names)
    return {name: table.column(name).to_pylist() for name in names}


def encode(columns: Mapping[str, Sequence[Any]], schema: pa.Schema) -> tuple[bytes, str]:
    """Return the bytes of an Arrow IPC file with these columns, and their sha256."""
    table = pa.table([pa.array(columns[field.name], type=field.type) for field in schema], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)
    data = sink.getvalue().to_pybytes()
    return data, hashlib.sha256(data).hexdigest()


def verify(files: Sequence[tuple[Path, str]]) -> None:
    """Raise `DamagedFileError` if one of the files is not the one whose sha256 stands beside it."""
    for path, sha256 in files:
        try:
            sound = file_sha256(path) == sha256
        except FileNotFoundError:
            sound = False
        if not sound:
            raise DamagedFileError(f"{path.name} is lost or changed; put it back from a backup of the spool.")


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

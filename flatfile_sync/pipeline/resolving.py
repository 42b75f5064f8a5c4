"""Which pass each record names: the part of plan that runs in worker processes, without a database.

The store's answers come in as plain mappings; records leave with a pass number, or with a K issue. A record that may
create a pass gets its own number negated; `plan` finds later records that name the same new pass.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.issues import MASK, Issue
from flatfile_sync.domain.naming import new_pass_id
from flatfile_sync.domain.project import Cardinality, Feed, Project
from flatfile_sync.domain.states import Operation
from flatfile_sync.domain.tombstones import OWN_ID, Tombstones
from flatfile_sync.files.columns import PLAN, read_table, write_table
from flatfile_sync.store.identifiers import Matches

Found = Mapping[str, Mapping[str, Sequence[tuple[int, str, str]]]]
"""Column name -> identifier value -> (pass number, pass id, pass type) of each pass that carries it."""

_CREATES = frozenset({Operation.UPSERT, Operation.CREATE})
_COPIED = ("record", "line", "line_end", "offset", "length", "key", "key_type", "echo", "op", "patch", "extra")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A chunk after resolution. `pass_nos` has one number per record; `apart` marks records with `set.id` columns.

    `messages` marks the records that carry a message.
    `new_keys` and `new_records` pair a 64-bit hash of each identifier that found no pass with its record; they are
    empty in a feed that creates nothing.
    """

    file: str
    first: int
    pass_nos: npt.NDArray[np.int64]
    apart: npt.NDArray[np.bool_]
    messages: npt.NDArray[np.bool_]
    failed: npt.NDArray[np.bool_]
    new_keys: npt.NDArray[np.uint64]
    new_records: npt.NDArray[np.int32]


def distinct_keys(path: Path, columns: Sequence[str]) -> dict[str, list[str]]:
    """Return the distinct identifier values of a checked chunk, by column, of the records that need their pass.

    These are the ones that are sound so far, and those that say something about consent.
    """
    table = read_table(path, [*columns, "failed", "extra"])
    needed = table.filter(pc.or_(pc.invert(table["failed"]), pa.array(_holding(table, '"consents"'))))
    return {name: needed[name].drop_null().unique().to_pylist() for name in columns}


def resolve_chunk(
    path: Path,
    target: Path,
    *,
    matches: Mapping[str, Matches],
    project: Project,
    feed: Feed,
    drop_id: str,
    erased: Tombstones | None = None,
) -> Resolved:
    """Write the plan chunk of a checked chunk and return what plan needs to see of it; `matches` by column."""
    found = {column: _by_value(orjson.loads(rows)) for column, rows in matches.items()}
    table = read_table(path)
    key_columns = [name for name in table.column_names if name == "id" or name.startswith("id.")]
    cells = {name: table[name].to_pylist() for name in key_columns}
    ops = table["op"].to_pylist()
    types = table["pass_type"].to_pylist()
    patches = table["patch"].to_pylist()
    records = table["record"].to_pylist()
    failed = table["failed"].to_pylist()
    issues = table["issues"].to_pylist()
    extras = table["extra"].to_pylist() if erased is not None else []
    size = len(records)
    pass_nos = [0] * size
    pass_ids: list[str | None] = [None] * size
    pass_types: list[str | None] = [named or feed.pass_type for named in types]
    ids: list[str | None] = [None] * size
    creates = not _CREATES.isdisjoint((feed.operation, *feed.allowed_operations))
    hashes: list[int] = []
    hashed: list[int] = []
    usual = _usual(cells, pass_types, ops, failed, found) if len(cells) == 1 else [None] * size
    for row, named in enumerate(usual):
        if named is not None:
            pass_nos[row], pass_ids[row], pass_types[row] = named
            continue
        keys = [(name, cells[name][row]) for name in key_columns if cells[name][row] is not None]
        if failed[row] or not keys:
            continue  # without keys: the file is refused as a whole, its records only have places
        answer = erasure_issue(keys, erased, project, record=records[row]) or _match(
            keys, pass_types[row], found, project=project, record=records[row], op=ops[row]
        )
        if answer is None:
            if creates:
                hashes.extend(_hash(name, value) for name, value in keys)
                hashed.extend([records[row]] * len(keys))
            answer = _created(
                keys, pass_types[row], ops[row], patches[row], project=project, record=records[row], drop_id=drop_id
            )
        if isinstance(answer, Issue):
            failed[row] = True
            issues[row] = with_issue(issues[row], answer)
        else:
            pass_nos[row], pass_ids[row], pass_types[row] = answer
            ids[row] = _as_ids(keys) if answer[0] < 0 else None
    for row in np.flatnonzero(_holding(table, '"consents"') & np.array(failed, dtype=bool)).tolist():
        keys = _sound_keys(cells, row, issues[row])
        if erasure_issue(keys, erased, project, record=records[row]) is not None:
            extras[row] = None  # whoever was erased says nothing any more
            continue
        pass_nos[row], pass_ids[row], ids[row] = _subject(keys, pass_types[row], found, project)
    columns = {name: table[name] for name in _COPIED}
    if erased is not None:
        columns["extra"] = pa.array(extras, pa.string())
    columns |= {
        "issues": pa.array(issues, pa.string()),
        "failed": pa.array(failed, pa.bool_()),
        "pass_no": pa.array(pass_nos, pa.int64()),
        "pass_id": pa.array(pass_ids, pa.string()),
        "pass_type": pa.array(pass_types, pa.string()),
        "ids": pa.array(ids, pa.string()),
        "tail": pa.array([False] * size, pa.bool_()),
    }
    write_table(target, pa.table([columns[field.name] for field in PLAN], schema=PLAN))
    return Resolved(
        file=target.name,
        first=records[0] if records else 0,
        # What a rejected record names is nobody's to apply.
        pass_nos=np.where(failed, 0, np.array(pass_nos, dtype=np.int64)),
        apart=_holding(table, '"set_ids"'),
        messages=_holding(table, '"messages"'),
        failed=np.array(failed, dtype=bool),
        new_keys=np.array(hashes, dtype=np.uint64),
        new_records=np.array(hashed, dtype=np.int32),
    )


def _by_value(rows: Sequence[tuple[str, int, str, str]]) -> Mapping[str, Sequence[tuple[int, str, str]]]:
    result = {value: [(number, pass_id, pass_type)] for value, number, pass_id, pass_type in rows}
    if len(result) < len(rows):
        result = {value: [] for value in result}
        for value, number, pass_id, pass_type in rows:
            result[value].append((number, pass_id, pass_type))
    return result


def _usual(
    cells: Mapping[str, Sequence[str | None]],
    pass_types: Sequence[str | None],
    ops: Sequence[str],
    failed: Sequence[bool],
    found: Found,
) -> list[tuple[int, str, str] | None]:
    """Return the pass of each record whose only identifier names one: most records, and quickly."""
    [(column, values)] = cells.items()
    owners = found[column]
    named = [owners.get(value, ()) if value is not None else () for value in values]
    return [
        matches[0]
        if len(matches) == 1 and op != Operation.CREATE and not no and pass_type in {None, matches[0][2]}
        else None
        for matches, op, no, pass_type in zip(named, ops, failed, pass_types, strict=True)
    ]


def _created(
    keys: Sequence[tuple[str, str]],
    pass_type: str | None,
    op: str,
    patch: str,
    *,
    project: Project,
    record: int,
    drop_id: str,
) -> tuple[int, str, str] | Issue:
    """Return number, id and type of the pass that a record creates, or why it cannot."""
    if op not in _CREATES:
        # A record before it may create the pass: then `creating.follow` takes this back.
        return key_issue("K02", keys, project, record=record)
    chosen = pass_type or (project.pass_types[0].name if len(project.pass_types) == 1 else None)
    problem = _cannot_create(keys, chosen, patch, project, record)
    return problem or (-record, new_pass_id(drop_id, record), chosen or "")


def _subject(
    keys: Sequence[tuple[str, str]], pass_type: str | None, found: Found, project: Project
) -> tuple[int, str | None, str | None]:
    """Return (pass number, pass id, identifiers as JSON) of whoever speaks in a rejected record: consent counts."""
    answer = _match(keys, pass_type, found, project=project, record=0, op=Operation.UPDATE) if keys else None
    if isinstance(answer, tuple):
        return answer[0], answer[1], None
    return 0, None, _as_ids(keys) if keys else None


def _as_ids(keys: Sequence[tuple[str, str]]) -> str:
    return orjson.dumps({name.removeprefix("id."): value for name, value in keys}).decode()


def _holding(table: pa.Table, word: str) -> npt.NDArray[np.bool_]:
    """Return which records' instructions hold a word: a quoted key, or (harmless here) a value that looks like it."""
    extra = table["extra"]
    if extra.null_count == table.num_rows:
        return np.zeros(table.num_rows, dtype=bool)
    marked = pc.match_substring(pc.fill_null(extra, ""), word)
    return np.asarray(marked.to_numpy(zero_copy_only=False), dtype=bool)


def _sound_keys(cells: Mapping[str, Sequence[str | None]], row: int, issues: str | None) -> list[tuple[str, str]]:
    """Return a rejected record's identifiers, without those that are wrong themselves."""
    wrong = {entry["column"] for entry in orjson.loads(issues or "[]") if entry["code"].startswith("V")}
    filled = ((name, values[row]) for name, values in cells.items() if name not in wrong)
    return [(name, value) for name, value in filled if value is not None]


def with_issue(issues: str | None, problem: Issue) -> str:
    """Return a record's JSON list of issues with one more."""
    known: list[Any] = orjson.loads(issues) if issues else []
    entry = asdict(problem)
    entry.pop("record")
    known.append(entry)
    return orjson.dumps(known).decode()


def _match(
    keys: Sequence[tuple[str, str]], pass_type: str | None, found: Found, *, project: Project, record: int, op: str
) -> tuple[int, str, str] | Issue | None:
    """Return the one pass that all identifiers name, an issue, or None if none of them names any."""
    common: dict[int, tuple[int, str, str]] | None = None
    missing = 0
    unique = unique_columns(project)
    unknown = []
    for name, value in keys:
        matches = found[name].get(value, ())
        named = {match[0]: match for match in matches if pass_type is None or match[2] == pass_type}
        if not named:
            missing += 1
        if name in unique:
            unknown.append(not named)
        common = named if common is None else {no: match for no, match in common.items() if no in named}
    # A new pass may share an identifier of a shared kind with others: what is its own decides whether it is new.
    if missing == len(keys) or (op in _CREATES and unknown and all(unknown)):
        return None
    if not common:
        return key_issue("K04", keys, project, record=record)
    if len(common) > 1:
        return key_issue("K03", keys, project, record=record, found=len(common))
    if op == Operation.CREATE:
        return key_issue("K05", keys, project, record=record)
    return next(iter(common.values()))


def _cannot_create(
    keys: Sequence[tuple[str, str]], pass_type: str | None, patch: str, project: Project, record: int
) -> Issue | None:
    kind = project.pass_type(pass_type) if pass_type is not None else None
    if kind is None:
        allowed = ", ".join(known.name for known in project.pass_types)
        reason = "it names no pass type" if pass_type is None else f"pass type {pass_type!r} is unknown"
        hint = f"Fill in `passType` with one of {allowed}."
        return issue("K06", record=record, column="passType", reason=reason, suggestion=hint)
    if any(name == "id" for name, _ in keys):
        hint = "Leave `id` empty in records that create a pass; we give the id."
        return issue("K06", record=record, column="id", reason="no pass has this id", suggestion=hint)
    unique = [f"id.{known.name}" for known in project.model.identifiers if known.cardinality is Cardinality.UNIQUE]
    if not any(name in unique for name, _ in keys):
        hint = f"Fill in one of {', '.join(unique)}."
        column = unique[0] if unique else None
        return issue("K06", record=record, column=column, reason="it has no unique identifier", suggestion=hint)
    lacking = [name for name in map("id.{}".format, kind.required_identifiers) if name not in dict(keys)]
    if lacking:
        reason = f"a pass of type {kind.name!r} cannot be without {', '.join(lacking)}"
        hint = f"Fill in {', '.join(lacking)}."
        return issue("K06", record=record, column=lacking[0], reason=reason, suggestion=hint)
    required = [field for field in project.model.fields if field.constraints.required]
    if required:
        given = orjson.loads(patch)
        absent = [field.name for field in required if given.get(field.target) is None]
        if absent:
            hint = f"Fill in {', '.join(absent)}."
            return issue("K06", record=record, column=absent[0], reason="required values are missing", suggestion=hint)
    return None


def unique_columns(project: Project) -> frozenset[str]:
    """Return the columns that name one pass at most: our own id and the identifiers of unique kinds."""
    kinds = (kind.name for kind in project.model.identifiers if kind.cardinality is Cardinality.UNIQUE)
    return frozenset(["id", *(f"id.{name}" for name in kinds)])


def key_issue(code: str, keys: Sequence[tuple[str, str]], project: Project, *, record: int, **details: object) -> Issue:
    """Return an issue about a record's identifiers; values of `pii` kinds are masked."""
    personal = {f"id.{kind.name}" for kind in project.model.identifiers if kind.pii or kind.person}
    words = " and ".join(f"{name} = {MASK if name in personal else value}" for name, value in keys)
    column, value = keys[0]
    return issue(code, record=record, column=column, value=value, pii=column in personal, key=words, **details)


def erasure_issue(
    keys: Sequence[tuple[str, str]], erased: Tombstones | None, project: Project, *, record: int
) -> Issue | None:
    """Return K08 if one of a record's identifiers belonged to somebody who was erased."""
    if erased is None:
        return None
    found = erased.first((name.removeprefix("id."), value) for name, value in keys)
    if found is None:
        return None
    kind, value = found
    return key_issue("K08", [(kind if kind == OWN_ID else f"id.{kind}", value)], project, record=record)


def _hash(name: str, value: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{name}\0{value}".encode(), digest_size=8).digest(), "big")

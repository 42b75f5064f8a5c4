"""The JSON documents a partner gets, each defined once: these classes write them, and `schemas/` is made from them.

Times are RFC 3339 in UTC with milliseconds, hashes sha256 in hex. Members may be added; none is ever renamed.
"""

from dataclasses import dataclass, field
from typing import Annotated

import orjson
from pydantic import Field

from flatfile_sync.domain.states import Decision, DropVerdict
from flatfile_sync.files.dialect import Dialect

Hex = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Count = Annotated[int, Field(ge=0)]


def encoded(document: object) -> bytes:
    """Return a document as the bytes of its file."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """`.ack.json`: what was received and what was decided about it; replaced when the decision changes.

    An upload that becomes no drop has `drop_id` null, and nothing after `sha256` is known of it.
    """

    drop_id: Id | None
    file: Annotated[str, Field(description="The name under which the file was put into the inbox.")]
    decision: Decision
    why: Annotated[str | None, Field(description="The reason, if the decision is not simply `queued`.")]
    received_at: Moment | None
    bytes: Count
    sha256: Hex | None
    layers: Annotated[
        list[str], Field(description="Around the content, outermost first; of a queued file the outermost only.")
    ] = field(default_factory=list)
    project: str | None = None
    feed: str | None = None
    dry_run: bool = False
    parent: Annotated[Id | None, Field(description="The drop whose repaired rejects file this is.")] = None
    duplicate_of: Annotated[Id | None, Field(description="The last applied drop, if it has this content.")] = None
    result_name: Annotated[str | None, Field(description="What the names of all artefacts begin with.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`.progress.json`: how far a running drop has come; there only while it runs."""

    drop_id: Id
    file: str
    step: Annotated[str, Field(description="read, validate, plan or apply.")]
    records: Annotated[Count, Field(description="Records that the step has done.")]
    at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Records by status; `read` is the sum of all the others."""

    read: Count
    applied: Count
    unchanged: Count
    superseded: Count
    rejected: Count
    skipped: Count
    unprocessed: Count
    valid: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """How often an issue code was found, and the first lines it stands on."""

    count: Count
    first_lines: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The guard that tripped: its rule, the limit and what was observed."""

    rule: str
    limit: float
    observed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Deliveries owed on a platform, and how long until they are out at its pace, behind what goes before them."""

    owed: Count
    eta_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When the drop came to each step."""

    received_at: Moment | None
    claimed_at: Moment | None
    planned_at: Moment | None
    applied_at: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the result set."""

    bytes: Count
    sha256: Hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long reports and originals are kept, and when the delivery report comes at the latest."""

    reports_days: Count
    archive_days: Count
    horizon_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """`.summary.json`: written last, so its presence means that the result set is complete."""

    drop_id: Id
    file: str
    project: str
    project_version: Hex | None
    feed: str
    parent: Id | None
    dry_run: bool
    verdict: DropVerdict
    reason: str | None
    duplicate_of: Id | None
    bytes: Count
    sha256: Hex | None
    layers: Annotated[list[str], Field(description="Around the content, outermost first.")]
    content_sha256: Annotated[
        Hex | None, Field(description="Of what lies inside the layers; lines and rejects are those of this content.")
    ]
    counts: Counts
    issues: Annotated[Count, Field(description="Rows of `.issues.csv`.")]
    codes: Annotated[dict[str, Code], Field(description="By issue code, the most frequent first.")]
    dialect: Dialect | None
    columns: Annotated[list[str], Field(description="The header as it was read.")]
    guard: Guard | None
    notifications: Annotated[dict[str, Count], Field(description="Records by the word in `_notification`, but none.")]
    deliveries: Annotated[dict[str, Owed], Field(description="By platform.")]
    times: Times
    files: Annotated[dict[str, File], Field(description="By name.")]
    retention: Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySummary:
    """`.delivery.json`: how the deliveries that a drop owed ended, at the feed's horizon at the latest."""

    drop_id: Id
    file: str
    feed: str
    records: Annotated[Count, Field(description="Rows of `.delivery.csv`.")]
    outcomes: Annotated[dict[str, dict[str, Count]], Field(description="By column of the report and by word.")]
    open_deliveries: Count
    horizon_reached: bool
    settled_at: Moment | None
    files: dict[str, File]

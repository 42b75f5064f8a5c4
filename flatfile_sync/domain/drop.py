"""What came through the door, and one handed-over file on its way along the line."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from flatfile_sync.domain.states import DropState, DropVerdict, UploadState, UploadVerdict

# A finished upload is still listed: clients stat, time and compare a file after they closed it.
LISTED_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What the door saw under one name of one account. Times are UTC; `size` in bytes."""

    id: str
    account: str
    zone: str
    feed: str | None
    name: str
    blob: str
    state: UploadState
    size: int = 0
    verdict: UploadVerdict | None = None
    reason: str | None = None
    sha256: str | None = None
    modified_at: datetime
    opened_at: datetime
    closed_at: datetime | None = None
    drop_id: str | None = None
    renamed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """One handed-over file. `seq` is its close-commit sequence; `result_name` the stem of every artefact's name.

    `summary` is what has been found so far and goes into `.summary.json`; see `pipeline.summary`.
    """

    id: str
    seq: int
    account: str
    project: str
    feed: str
    upload_id: str
    file_name: str
    result_name: str
    blob: str
    bytes: int
    dry_run: bool
    state: DropState
    received_at: datetime
    sha256: str | None = None
    parent_id: str | None = None
    forced: bool = False
    verdict: DropVerdict | None = None
    reason: str | None = None
    duplicate_of: str | None = None
    project_version: str | None = None
    attempts: int = 0
    last_error: str | None = None
    stuck: bool = False
    due_at: datetime | None = None
    claimed_at: datetime | None = None
    planned_at: datetime | None = None
    applied_at: datetime | None = None
    reported_at: datetime | None = None
    settled_at: datetime | None = None
    horizon_at: datetime | None = None
    summary: dict[str, object] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers around the content, outermost first, as far as they are known."""
        found = self.summary.get("layers")
        return tuple(found) if isinstance(found, (list, tuple)) else ()

    @property
    def content_sha256(self) -> str | None:
        """The sha256 of what lies inside the layers; None if they were not or could not be opened."""
        if not self.layers:
            return self.sha256
        found = self.summary.get("content_sha256")
        return found if isinstance(found, str) else None

    @property
    def changes_passes(self) -> bool:
        """Whether the drop may still change anything: it is no dry run and nothing refused it as a whole."""
        return not self.dry_run and self.verdict not in {
            DropVerdict.REJECTED,
            DropVerdict.DUPLICATE,
            DropVerdict.CANCELLED,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of records. `kind` is `main`, or `tail` for the passes that a drop names more than once.

    `plan_file` and `verdict_file` are names in the spool's work area; a verdict file counts only once its row names it.
    """

    drop_id: str
    no: int
    kind: Literal["main", "tail"]
    records: int
    plan_file: str
    verdict_file: str | None = None
    verdict_sha256: str | None = None

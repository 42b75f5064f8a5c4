"""The columns of the CSV files of a result set, each defined once: what writes them and `schemas/` take them here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flatfile_sync.domain.issues import Owner, Severity
from flatfile_sync.domain.states import Notice, Operation, Outcome, Owed, RecordStatus


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """A column: its name, its kind (a type of Table Schema), what it says, and the words it may hold."""

    name: str
    kind: str
    description: str
    words: type[StrEnum] | None = None


_LINE: Final = ReportColumn("_line", "integer", "First physical line of the record in the file; the header is line 1.")
_LINE_END: Final = ReportColumn("_line_end", "integer", "Last physical line of the record.")
_RECORD: Final = ReportColumn("_record", "integer", "Number of the record; the first after the header is 1.")
_KEY: Final = ReportColumn("_key", "string", "The first identifier that the record fills in, exactly as it was sent.")
_ECHO: Final = ReportColumn("_echo", "string", "The feed's correlation column, exactly as it was sent.")

RESULT: Final = (
    _LINE,
    _LINE_END,
    _RECORD,
    _KEY,
    ReportColumn("_key_type", "string", "The column `_key` stands in."),
    _ECHO,
    ReportColumn("_op", "string", "What the record asked for.", Operation),
    ReportColumn("_status", "string", "What became of the record.", RecordStatus),
    ReportColumn("_changed", "string", "The keys whose value changed, separated by spaces."),
    ReportColumn("_codes", "string", "The codes of the record's issues, separated by spaces; see issue_codes.md."),
    ReportColumn("_message", "string", "The first issue, or why the record was superseded or skipped, as a sentence."),
    ReportColumn("_pass_id", "string", "Our id of the pass."),
    ReportColumn("_passes", "integer", "How many passes the record named."),
    ReportColumn("_revision", "integer", "The revision of the pass after the drop."),
    ReportColumn("_apple", "string", "What the change owes on Apple Wallet.", Owed),
    ReportColumn("_google", "string", "What the change owes on Google Wallet.", Owed),
    ReportColumn("_notification", "string", "What became of the record's message.", Notice),
    ReportColumn("_applied_at", "datetime", "When the record was applied, in UTC."),
    ReportColumn("_link", "string", "Where the holder adds the pass to a wallet, if the record created it."),
)
"""`.result.csv`: one row per record, in the order of the file."""

ISSUES: Final = (
    ReportColumn("_line", "integer", "First physical line of what is wrong; 1 for the file as a whole."),
    _LINE_END,
    ReportColumn("_record", "integer", "Number of the record; empty for the header or the file as a whole."),
    _KEY,
    _ECHO,
    ReportColumn("_severity", "string", "error = not applied; warning = applied, a value was dropped.", Severity),
    ReportColumn("_code", "string", "The issue code; see issue_codes.md."),
    ReportColumn("_column", "string", "The column of the header, if it is about one."),
    ReportColumn("_value", "string", "What was found; masked if the field is personal, safe for spreadsheets."),
    ReportColumn("_message", "string", "What is wrong, as a sentence; safe for spreadsheets."),
    ReportColumn("_hint", "string", "What to do about it."),
    ReportColumn("_retryable", "boolean", "Whether the same record may work later."),
    ReportColumn("_owner", "string", "Who can mend it.", Owner),
    ReportColumn("_reject_line", "integer", "First line of the record in `.rejects.csv`."),
)
"""`.issues.csv`: one row per problem; those of the file as a whole first."""

DELIVERY: Final = (
    _RECORD,
    _LINE,
    _KEY,
    ReportColumn("_pass_id", "string", "Our id of the pass."),
    ReportColumn("_apple", "string", "How the push to Apple Wallet ended.", Outcome),
    ReportColumn("_google", "string", "How the update on Google Wallet ended.", Outcome),
    ReportColumn("_notification", "string", "How the message ended.", Outcome),
    ReportColumn("_attempts", "integer", "Tries that were made."),
    ReportColumn("_settled_at", "datetime", "When the last of them ended, in UTC; empty if one is open."),
    ReportColumn("_reason", "string", "What the platform said."),
)
"""`.delivery.csv`: one row per record that owed something; records of passes named more than once come last."""


def names(columns: tuple[ReportColumn, ...]) -> tuple[str, ...]:
    """Return the header."""
    return tuple(column.name for column in columns)

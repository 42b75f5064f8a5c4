"""The issue catalogue: every code there is, stable and documented.

Families: F file, D dialect, H header, V value, K key, C conflict, A apply, P platform, Q quota, G guard.
A code is never renumbered or reused. Each has a sample file under `sample_files/` that provokes it.
"""

from typing import Final

from flatfile_sync.domain.issues import MASK, Issue, IssueCode, Owner, Severity, shorten

_ENTRIES: Final = (
    IssueCode(
        code="F01",
        title="Empty file",
        message="The file has no bytes.",
        hint="Check the export job; send the file again once it has content.",
    ),
    IssueCode(
        code="F02",
        title="Header only",
        message="The file has a header and no records.",
        hint="If nothing changed, no file is needed; otherwise check the export's filter.",
        severity=Severity.WARNING,
    ),
    IssueCode(
        code="F03",
        title="Last record cut off",
        message="The last record, on line {line}, is not whole: it ends inside quotes or lacks values.",
        hint="Upload the whole file again; upload under a temporary name and rename it when complete.",
        retryable=True,
    ),
    IssueCode(
        code="F04",
        title="No final line end",
        message="The last record lacks its line end, as it would if the file had been cut off there.",
        hint="Let the export end its last line, so that a cut-off file can be told from a whole one.",
        severity=Severity.WARNING,
    ),
    IssueCode(
        code="F05",
        title="Too many records",
        message="The file has {found} records; the feed takes at most {limit}.",
        hint="Split the export into files of at most {limit} records.",
    ),
    IssueCode(
        code="F06",
        title="Cancelled before it was taken",
        message="The file was {reason} before it was taken; nothing of it was applied.",
        hint="Upload it again if it should be applied.",
    ),
    IssueCode(
        code="F07",
        title="Duplicate of the last applied file",
        message="The content is the same as that of drop {duplicate_of}, the last one this feed applied.",
        hint="Nothing to do; to apply it again, ask the operator to force it.",
    ),
    IssueCode(
        code="F09",
        title="Too much inside",
        message="The {layer} layer holds more than the feed takes: {observed} bytes have come out by its byte {offset} "
        "({rule} is {limit}).",
        hint="Split the export into smaller files, or ask the operator to raise the limit under `layers` of the feed.",
    ),
    IssueCode(
        code="F10",
        title="Layer damaged",
        message="The {layer} layer is damaged at byte {offset}: {reason}.",
        hint="Pack the export again and upload it in binary mode; the file must test well before it leaves.",
        retryable=True,
    ),
    IssueCode(
        code="F11",
        title="Layer cut off",
        message="The {layer} layer is not whole: it ends at byte {offset}, where more must follow.",
        hint="Upload the whole file again; upload under a temporary name and rename it when complete.",
        retryable=True,
    ),
    IssueCode(
        code="F12",
        title="Not one file in the zip",
        message="The zip holds {found} files; exactly one is taken.",
        hint="Pack one CSV into each zip. An Excel workbook is a zip of many files too: save it as CSV.",
    ),
    IssueCode(
        code="F13",
        title="Too many layers",
        message="Inside {limit} layers lies another one ({found}).",
        hint="Pack the export once.",
    ),
    IssueCode(
        code="F14",
        title="Layer not taken",
        message="The {layer} layer cannot be taken at byte {offset}: {reason}.",
        hint="Pack the export with gzip, or as a plain zip of one file, and send it again.",
    ),
    IssueCode(
        code="D01",
        title="Not UTF-8",
        message="Byte {offset} of the file, on line {line}, is not UTF-8 (found {found}).",
        hint="Export as UTF-8; UTF-16 and the code pages of Windows are not taken.",
    ),
    IssueCode(
        code="D02",
        title="Header unreadable",
        message="The header cannot be read: {reason}.",
        hint="Write one header line with the feed's column names, separated by commas, semicolons or tabs only.",
    ),
    IssueCode(
        code="D03",
        title="Wrong number of values",
        message="The record has {found} values; the header has {expected} columns.",
        hint="Quote values that contain the delimiter or a line end, and write every column in each record.",
    ),
    IssueCode(
        code="D04",
        title="Stray quote",
        message="A quote stands inside a value that is not quoted, or text follows a closing quote.",
        hint="Quote the whole value and double each quote inside it (RFC 4180).",
    ),
    IssueCode(
        code="D05",
        title="NUL byte",
        message="The record contains a NUL byte.",
        hint="Remove it in the export; NUL usually means UTF-16 text or a damaged file.",
    ),
    IssueCode(
        code="D06",
        title="Record too long",
        message="The record is {found} bytes long; at most {limit} are taken.",
        hint="Shorten its values; a quote that is never closed is the usual cause.",
    ),
    IssueCode(
        code="D07",
        title="Lines end with CR only",
        message="The lines of the file end with CR only, so that its records cannot be told apart.",
        hint="Export with LF or CRLF line ends.",
    ),
    IssueCode(
        code="D08",
        title="Stray carriage return",
        message="The record holds a carriage return outside quotes that does not end its line.",
        hint="Quote values that contain a line end, and end each line with LF or CRLF.",
    ),
    IssueCode(
        code="H01",
        title="Unknown column",
        message="Column {column!r} is not known to feed {feed!r}.",
        hint="{suggestion}",
    ),
    IssueCode(
        code="H02",
        title="Column not writable",
        message="Column {column!r} may not be written by feed {feed!r}.",
        hint="Remove the column, or ask the operator to list it under `writable` of the feed.",
    ),
    IssueCode(
        code="H03",
        title="Column twice",
        message="Column {column!r} stands in the header more than once.",
        hint="Keep one of them.",
    ),
    IssueCode(
        code="H04",
        title="No identifier column",
        message="The header has no column that names a pass.",
        hint="Add one of {identifiers}.",
    ),
    IssueCode(
        code="H05",
        title="Required column missing",
        message="Feed {feed!r} requires column {column!r}, which the header lacks.",
        hint="Add the column to the export.",
    ),
    IssueCode(
        code="H06",
        title="Empty column name",
        message="Column {position} of the header has no name.",
        hint="Name the column, or remove it from the export.",
    ),
    IssueCode(
        code="V01",
        title="Wrong type",
        message="{value!r} is not {expected}.",
        hint="Write it like {example}.",
    ),
    IssueCode(
        code="V02",
        title="Value missing",
        message="A value is required here.",
        hint="Fill it in, or leave the cell empty to keep the value as it is.",
    ),
    IssueCode(
        code="V03",
        title="Out of range",
        message="{value!r} is outside the range: {expected}.",
        hint="Correct the value, or ask the operator to change the data model.",
    ),
    IssueCode(
        code="V04",
        title="Wrong length",
        message="{value!r} has {found} characters; {expected}.",
        hint="Correct the value, or ask the operator to change the data model.",
    ),
    IssueCode(
        code="V05",
        title="Pattern not met",
        message="{value!r} does not match the pattern {expected}.",
        hint="Correct the value; the whole of it must match.",
    ),
    IssueCode(
        code="V06",
        title="Not an allowed value",
        message="{value!r} is not one of {expected}.",
        hint="{suggestion}",
    ),
    IssueCode(
        code="V07",
        title="Value not unique",
        message="{value!r} stands in record {other} too; the data model wants it once.",
        hint="Remove one of the records or correct the value.",
    ),
    IssueCode(
        code="V08",
        title="Number damaged by a spreadsheet",
        message="{value!r} looks like a number that a spreadsheet rewrote.",
        hint="Export identifiers as text.",
    ),
    IssueCode(
        code="V09",
        title="Value dropped",
        message="{reason} The field's policy drops the value and applies the rest of the record.",
        hint="{remedy}",
        severity=Severity.WARNING,
    ),
    IssueCode(
        code="K01",
        title="No identifier",
        message="The record names no pass: its identifier cells are empty.",
        hint="Fill in one of {identifiers}.",
    ),
    IssueCode(
        code="K02",
        title="Pass not found",
        message="No pass has {key}.",
        hint="Check the identifier; passes are created by feeds with `upsert` or `create` only.",
        retryable=True,
    ),
    IssueCode(
        code="K03",
        title="Several passes found",
        message="{found} passes have {key}.",
        hint="Add `passType` or another identifier to the record.",
    ),
    IssueCode(
        code="K04",
        title="Identifiers disagree",
        message="The identifiers of the record do not all name the same pass: {key}.",
        hint="Correct the wrong one, or leave it empty.",
    ),
    IssueCode(
        code="K05",
        title="Pass exists already",
        message="A pass with {key} exists already.",
        hint="Use a feed with `update` or `upsert` to change it.",
    ),
    IssueCode(
        code="K06",
        title="Cannot be created",
        message="The record cannot create a pass: {reason}.",
        hint="{suggestion}",
    ),
    IssueCode(
        code="K07",
        title="Identifier taken",
        message="{key} belongs to another pass.",
        hint="Correct the other pass first, or in the same file.",
    ),
    IssueCode(
        code="K08",
        title="Holder erased",
        message="{key} belonged to somebody whose data was erased.",
        hint="Take the person out of the export; if they came back by themselves, ask the operator to readmit them.",
    ),
    IssueCode(
        code="C01",
        title="Stale",
        message="A newer drop of this feed (number {newer}) has already written this pass.",
        hint="Send the current values again if these should stand.",
    ),
    IssueCode(
        code="C02",
        title="Operation not allowed",
        message="Operation {value!r} is not allowed in feed {feed!r}.",
        hint="Use one of {expected}.",
    ),
    IssueCode(
        code="C03",
        title="Nothing to send",
        message="A `notify` record has no message.",
        hint="Fill in `notification.message`.",
    ),
    IssueCode(
        code="A01",
        title="Pass vanished",
        message="The pass was removed after the record had found it.",
        hint="Send the record again if the pass should exist.",
        owner=Owner.OPERATOR,
        retryable=True,
    ),
    IssueCode(
        code="G01",
        title="Too many rejected records",
        message="{observed} of {records} records have errors; the feed takes at most {limit} ({rule}).",
        hint="Mend the file and send it again, or ask the operator to raise the limit.",
    ),
    IssueCode(
        code="G02",
        title="The first records all fail",
        message="The first {limit} records all have errors.",
        hint="Look at the first issue: usually one column is wrong in the whole file.",
    ),
    IssueCode(
        code="G03",
        title="Too many notifications",
        message="{observed} records would notify a holder; the feed takes at most {limit} ({rule}).",
        hint="Check whom the file is for; split it, or ask the operator to raise the limit.",
    ),
)

CATALOGUE: Final = {entry.code: entry for entry in _ENTRIES}
"""Every issue code by its code, in the order of the families."""


def issue(
    code: str,
    *,
    record: int | None = None,
    column: str | None = None,
    value: str | None = None,
    pii: bool = False,
    **details: object,
) -> Issue:
    """Return an issue of the catalogue with its sentences filled in.

    `details` feed the templates; `line`, if it is among them, becomes the issue's line too. A value of a `pii` field
    is masked in the value and in every sentence.
    """
    entry = CATALOGUE[code]
    shown = None if value is None else MASK if pii else shorten(value)
    words = {"column": column, "value": shown, **details}
    line = details.get("line")
    return Issue(
        code=code,
        severity=entry.severity,
        record=record,
        line=line if isinstance(line, int) else None,
        column=column,
        value=shown,
        message=entry.message.format_map(words),
        hint=entry.hint.format_map(words),
    )

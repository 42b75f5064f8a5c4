"""The files of a project as closed models: `project.toml`, `data_model.json` and `pass_type.toml`.

`data_model.json` is a Frictionless Table Schema (https://specs.frictionlessdata.io/table-schema/) with our additions
`target`, `pii`, `onError` and `identifiers`. Unknown keys are errors: a typing error must not pass for a default.
"""

import re
from datetime import time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from flatfile_sync.domain.states import Operation, Purpose

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: Any) -> timedelta:
    """Return `10s`, `5m`, `24h` or `30d` as a duration."""
    found = re.fullmatch(r"(\d+)\s*([smhd])", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a duration like 10s, 5m, 24h or 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": r"^\d+\s*[smhd]$"})
]


def parse_hours(text: Any) -> tuple[time, time]:
    """Return `09:00-20:00` as its two times of the day."""
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", str(text))
    if not isinstance(text, str) or found is None:
        raise ValueError("two times of the day like 09:00-20:00")
    begin, end = time(int(found[1]), int(found[2])), time(int(found[3] or 0), int(found[4] or 0))
    if begin == end:
        raise ValueError("two different times of the day like 09:00-20:00; without the key every time is right")
    return begin, end


_HOURS = r"^([01]\d|2[0-3]):[0-5]\d\s*-\s*(([01]\d|2[0-3]):[0-5]\d|24:00)$"
HoursOfDay = Annotated[
    tuple[time, time], BeforeValidator(parse_hours), WithJsonSchema({"type": "string", "pattern": _HOURS})
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Whole = Annotated[int, Field(strict=True)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Camel(_Closed):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class ConstraintsFile(_Camel):
    """The constraints of a field."""

    required: bool = False
    unique: bool = False
    min_length: Whole | None = Field(default=None, ge=0)
    max_length: Whole | None = Field(default=None, ge=0)
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    exclusive_minimum: int | float | str | None = None
    exclusive_maximum: int | float | str | None = None
    pattern: str | None = None
    enum: list[str | int | float] | None = Field(default=None, min_length=1)


class FieldFile(_Camel):
    """One field of the data model; `target` is the document key it lands in (the name, if not given)."""

    name: str = Field(pattern=r"^(additionalData|metadata)\..+$")
    type: Literal["string", "integer", "number", "boolean", "date", "datetime", "time", "year"] = "string"
    format: str = "default"
    title: str = ""
    description: str = ""
    target: str | None = Field(default=None, pattern=r"^(additionalData|metadata)\..+$")
    pii: bool = False
    on_error: Literal["reject", "drop"] = "reject"
    constraints: ConstraintsFile = ConstraintsFile()
    true_values: list[str] = Field(default=["true", "True", "TRUE", "1"], min_length=1)
    false_values: list[str] = Field(default=["false", "False", "FALSE", "0"], min_length=1)
    decimal_char: str = Field(default=".", min_length=1, max_length=1)
    group_char: str = Field(default="", max_length=1)
    bare_number: bool = True


class IdentifierFile(_Camel):
    """An external id; column `id.<name>`."""

    name: str = Field(min_length=1)
    cardinality: Literal["unique", "shared"] = "unique"
    person: bool = False
    pii: bool = False
    pattern: str | None = None
    description: str = ""


class DataModelFile(_Camel):
    """`data_model.json`."""

    fields: list[FieldFile]
    identifiers: list[IdentifierFile] = Field(min_length=1)
    missing_values: list[str] = [""]


class GuardsFile(_Closed):
    """Limits checked before the first change; `false` switches one off."""

    max_reject_count: Annotated[Whole, Field(ge=0)] | Literal[False] = False
    max_reject_percent: Annotated[float, Field(strict=True, ge=0, le=100)] | Literal[False] = 5.0
    percent_from: Whole = Field(default=20, ge=1)
    first_records: Annotated[Whole, Field(ge=1)] | Literal[False] = 100
    max_notifications: Annotated[Whole, Field(ge=0)] | Literal[False] = Field(
        default=False, description="Records with a message in one file."
    )
    max_notification_percent: Annotated[float, Field(strict=True, ge=0)] | Literal[False] = Field(
        default=False, description="The same, as a percentage of the project's passes."
    )
    action: Literal["reject", "hold"] = "reject"


class LayersFile(_Closed):
    """Limits of each layer (gzip, zip, zstd, bzip2) around a file."""

    max_bytes: Whole = Field(default=4 << 30, ge=1, description="Bytes that may come out of a layer.")
    max_ratio: Whole = Field(
        default=200, ge=1, description="How many times more may come out than went in; counts from 16 MiB on."
    )
    max_members: Whole = Field(default=100, ge=1, description="Entries of a zip, folders among them.")


class CapFile(_Closed):
    """At most so many messages to one pass within a time."""

    messages: Whole = Field(ge=1)
    within: Duration


class NotificationsFile(_Closed):
    """How a feed's messages go out."""

    window: HoursOfDay | None = Field(default=None, description="Messages go between these times of the day only.")
    quiet: HoursOfDay | None = Field(default=None, description="No message goes between these times of the day.")
    days: list[Weekday] = Field(
        default=["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        min_length=1,
        description="Messages go on these days.",
    )
    timezone: str | None = Field(
        default=None, description="The field that names the holder's time zone; without it the project's counts."
    )
    cap: CapFile | None = Field(default=None, description="How many messages a pass gets, of all feeds together.")
    transactional: bool = Field(default=False, description="Hours and cap hold for transactional messages too.")
    repeat: bool = Field(default=True, description="A text that equals the one before is told again.")


class FeedFile(_Closed):
    """One `[[feeds]]` table."""

    name: Name
    globs: list[str] = Field(default=["*.csv"], min_length=1)
    operation: Operation = Operation.UPDATE
    allowed_operations: list[Operation] = []
    writable: list[str] = ["additionalData.*", "metadata.*"]
    required: list[str] = []
    ignored: list[str] = []
    pass_type: str | None = None
    echo: str | None = Field(default=None, min_length=1)
    null_tokens: list[Annotated[str, Field(min_length=1)]] = []
    quoted_empty_sets: bool = False
    notification_alias: bool = False
    purpose: Purpose | None = None
    notifications: NotificationsFile = NotificationsFile()
    lane: Literal["operational", "bulk"] = "operational"
    guards: GuardsFile = GuardsFile()
    layers: LayersFile = LayersFile()
    stale: Literal["reject", "apply"] = "reject"
    force: bool = False
    stop_after_failure: bool = False
    max_records: Whole = Field(default=10_000_000, ge=1)
    settle: Duration = timedelta(seconds=10)
    settle_after_rename: Duration = timedelta(seconds=2)
    horizon: Duration = timedelta(hours=24)
    expected_by: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d( \S+)?$")


class RetentionFile(_Closed):
    """How long artefacts are kept."""

    archive: Duration = Field(default=timedelta(days=30), description="The files that partners sent.")
    reports: Duration = Field(default=timedelta(days=90), description="Their result sets.")
    abandoned: Duration = Field(default=timedelta(days=7), description="Uploads that never ended.")
    exports: Duration = Field(default=timedelta(days=7), description="Install status and links, in `/exports/`.")
    consents: Duration = Field(
        default=timedelta(days=1095), description="The proof of what somebody agreed to, once they are erased."
    )


class ExportsFile(_Closed):
    """What accounts that may use every feed find in `/exports/`."""

    daily: bool = Field(default=False, description="A file of all passes each day: identifiers, where they are held.")
    links: bool = Field(default=True, description="With an add-to-wallet link for each active pass.")


class PassTypeFile(_Closed):
    """`pass_type.toml`, beside the templates of a pass type."""

    google_type: str = Field(default="", description="loyalty, giftCard, eventTicket, offer or generic; if on Google.")
    carrier: str = Field(default="", description="The key of the field of apple.json that carries messages.")
    purposes: dict[str, Purpose] = Field(
        default={}, description="Why each field with a changeMessage, or Google's notifyPreference, may notify."
    )
    required_identifiers: list[str] = Field(default=[], description="Identifiers without which the pass is no use.")
    languages: list[Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$")]] = Field(
        default=[], description="The languages of the pass, each with its `<language>.lproj`."
    )
    fallback_language: str = Field(default="en", description="The language of the templates themselves.")
    images: dict[str, str] = Field(
        default={}, description="Images of the Apple pass that Liquid chooses: a name in `images`, or a sha256."
    )


class ProjectFile(_Closed):
    """`project.toml`."""

    name: Name
    title: str
    timezone: str = "UTC"
    url_hosts: list[Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$")]] = Field(
        default=[], description="Hosts that URLs in a pass may lead to; *.example.com allows every host below it."
    )
    retention: RetentionFile = RetentionFile()
    exports: ExportsFile = ExportsFile()
    feeds: list[FeedFile] = Field(min_length=1)

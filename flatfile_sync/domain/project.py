"""A brand's wallet programme as frozen objects: data model, pass types, feeds.

Terms are those of the Frictionless Table Schema standard (https://specs.frictionlessdata.io/table-schema/) where it
has one. `config.projects` reads these from files; `version` is the sha256 of their canonical form.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from flatfile_sync.domain.layers import LayerLimits, unpacked_name
from flatfile_sync.domain.states import Operation, Purpose
from flatfile_sync.domain.windows import Cap, Hush

FieldType = Literal["string", "integer", "number", "boolean", "date", "datetime", "time", "year"]


class OnError(StrEnum):
    """What a value that fails its constraints does to its record."""

    REJECT = "reject"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """The constraints of a field; None = not set. Bounds are canonical values of the field's type (see `values`)."""

    required: bool = False
    unique: bool = False
    min_length: int | None = None
    max_length: int | None = None
    minimum: int | Decimal | str | None = None
    maximum: int | Decimal | str | None = None
    exclusive_minimum: int | Decimal | str | None = None
    exclusive_maximum: int | Decimal | str | None = None
    pattern: str | None = None
    enum: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that may be written. `name` is the column, `target` the key of the pass document it lands in."""

    name: str
    type: FieldType = "string"
    format: str = "default"
    target: str
    title: str = ""
    pii: bool = False
    on_error: OnError = OnError.REJECT
    constraints: Constraints = field(default_factory=Constraints)
    true_values: tuple[str, ...] = ("true", "True", "TRUE", "1")
    false_values: tuple[str, ...] = ("false", "False", "FALSE", "0")
    decimal_char: str = "."
    group_char: str = ""
    bare_number: bool = True


class Cardinality(StrEnum):
    """How many passes may carry one value of an identifier."""

    UNIQUE = "unique"
    SHARED = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierKind:
    """An external id: column `id.<name>`. At most one kind of a model is the `person`."""

    name: str
    cardinality: Cardinality = Cardinality.UNIQUE
    person: bool = False
    pii: bool = False
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataModel:
    """What may be written to a pass of the project."""

    fields: tuple[Field, ...]
    identifiers: tuple[IdentifierKind, ...]
    missing_values: tuple[str, ...] = ("",)

    def field(self, name: str) -> Field | None:
        """Return the field whose column is `name`, or None."""
        return next((found for found in self.fields if found.name == name), None)

    def identifier(self, name: str) -> IdentifierKind | None:
        """Return the identifier kind of that name (without the `id.` prefix), or None."""
        return next((found for found in self.identifiers if found.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassType:
    """A template.

    `style` is the key of Apple's style ("" = no Apple pass), `google_type` the type of Google's class and object ("" =
    neither). `apple`, `google_class` and `google_object` are canonical JSON text, Liquid in its strings ("" = none).
    `strings` are the texts of each `<language>.lproj/pass.strings`; `files` the images, each with the sha256 of its
    bytes: `icon@2x.png` of the folder `images`, `fr.lproj/logo.png` of a language; `images` the images of an Apple
    pass (`strip`) that Liquid chooses among them. `shown` are the document keys (and `status`, `expires_at`,
    `id.<kind>`, "*" for every change) that each platform displays, a change in none of which owes nothing there; a
    platform that it does not name shows every key. `carrier` is the key of the one Apple field that carries messages
    ("" = none); `purposes` says why each other field may notify, and Google's `notifyPreference`. `url_hosts` are the
    hosts that its URLs may lead to.
    """

    name: str
    style: str = ""
    google_type: str = ""
    platforms: tuple[str, ...] = ("apple", "google")
    apple: str = ""
    google_class: str = ""
    google_object: str = ""
    strings: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    shown: tuple[tuple[str, tuple[str, ...]], ...] = ()
    carrier: str = ""
    purposes: tuple[tuple[str, Purpose], ...] = ()
    required_identifiers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    fallback_language: str = "en"
    timezone: str = "UTC"
    url_hosts: tuple[str, ...] = ()


class GuardAction(StrEnum):
    """What a guard does when it trips."""

    REJECT = "reject"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Limits checked after plan, before the first change. None switches a guard off.

    `max_notifications` bounds the records with a message, `max_notification_percent` the same as a share of the
    project's passes.
    """

    max_reject_count: int | None = None
    max_reject_percent: float | None = 5.0
    percent_from: int = 20
    first_records: int | None = 100
    max_notifications: int | None = None
    max_notification_percent: float | None = None
    action: GuardAction = GuardAction.REJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifications:
    """How a feed's messages go out.

    `timezone` is the document key that names the holder's zone; where it names none, the project's counts. Hours and
    cap hold for marketing; with `transactional` for everything. With `repeat` a text that equals the one before is
    told again.
    """

    hours: Hush = field(default_factory=Hush)
    timezone: str | None = None
    cap: Cap | None = None
    transactional: bool = False
    repeat: bool = True

    def restricts(self, purpose: Purpose) -> bool:
        """Return whether hours and cap hold for messages of a purpose."""
        return self.transactional or purpose is Purpose.MARKETING


class FeedOrder(StrEnum):
    """What to do with a record whose pass a newer drop of the same feed has written."""

    REJECT = "reject"
    APPLY = "apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One stream of files of a project."""

    name: str
    globs: tuple[str, ...] = ("*.csv",)
    operation: Operation = Operation.UPDATE
    allowed_operations: tuple[Operation, ...] = ()
    writable: tuple[str, ...] = ("additionalData.*", "metadata.*")
    required: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    pass_type: str | None = None
    echo: str | None = None
    null_tokens: tuple[str, ...] = ()
    quoted_empty_sets: bool = False
    notification_alias: bool = False
    purpose: Purpose | None = None
    notifications: Notifications = field(default_factory=Notifications)
    lane: Literal["operational", "bulk"] = "operational"
    guards: Guards = field(default_factory=Guards)
    layers: LayerLimits = field(default_factory=LayerLimits)
    stale: FeedOrder = FeedOrder.REJECT
    force: bool = False
    stop_after_failure: bool = False
    max_records: int = 10_000_000
    settle: timedelta = timedelta(seconds=10)
    settle_after_rename: timedelta = timedelta(seconds=2)
    horizon: timedelta = timedelta(hours=24)
    expected_by: str | None = None

    def takes(self, file_name: str) -> bool:
        """Return whether a file of this name, with or without `.gz` and its like, belongs to the feed.

        Globs are case-sensitive.
        """
        plain = unpacked_name(file_name)
        return any(fnmatchcase(file_name, glob) or fnmatchcase(plain, glob) for glob in self.globs)

    def may_write(self, column: str) -> bool:
        """Return whether the feed may write a column."""
        return any(fnmatchcase(column, pattern) for pattern in self.writable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long artefacts are kept; `consents` is how long the proof of what somebody said is, once they are erased."""

    archive: timedelta = timedelta(days=30)
    reports: timedelta = timedelta(days=90)
    abandoned: timedelta = timedelta(days=7)
    exports: timedelta = timedelta(days=7)
    consents: timedelta = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """What partners find in `/exports/`: `daily` a file of all passes, with add-to-wallet `links` if wanted."""

    daily: bool = False
    links: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything that decides what a row means; `version` names exactly this content.

    `url_hosts` are the hosts that URLs in templates may lead to.
    """

    name: str
    title: str
    timezone: str
    model: DataModel
    pass_types: tuple[PassType, ...]
    feeds: tuple[Feed, ...]
    retention: Retention = field(default_factory=Retention)
    exports: Exports = field(default_factory=Exports)
    url_hosts: tuple[str, ...] = ()
    version: str = ""

    def feed(self, name: str) -> Feed | None:
        """Return the feed of that name, or None."""
        return next((found for found in self.feeds if found.name == name), None)

    def feed_for(self, file_name: str) -> Feed | None:
        """Return the first feed whose globs take the file name, or None."""
        return next((found for found in self.feeds if found.takes(file_name)), None)

    def pass_type(self, name: str) -> PassType | None:
        """Return the pass type of that name, or None."""
        return next((found for found in self.pass_types if found.name == name), None)

"""Whether the files of a project fit together: fields with their own constraints, feeds with fields and pass types."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pydantic.alias_generators import to_camel

from flatfile_sync.config.descriptor import DataModelFile, FeedFile, FieldFile, NotificationsFile, ProjectFile
from flatfile_sync.domain.columns import Role, column
from flatfile_sync.domain.spelling import did_you_mean
from flatfile_sync.domain.windows import Hours

BOUNDS: Final = ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum")
_INSTRUCTIONS: Final = ("status", "expires_at", "op", "notification.*", "consent.*")
_STRING_FORMATS: Final = ("default", "email", "uri", "uuid", "binary")
_PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
}
_EXAMPLES: Final = {"date": "%d/%m/%Y", "datetime": "%d/%m/%Y %H:%M", "time": "%H.%M"}


def model_problems(model: DataModelFile) -> Iterator[str]:
    """Yield a sentence for each contradiction inside `data_model.json`."""
    for kind, names in (
        ("fields", [field.name for field in model.fields]),
        ("identifiers", [entry.name for entry in model.identifiers]),
        ("fields", [field.target for field in model.fields if field.target]),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{kind}: {name!r} stands {count} times; each may stand once."
    if sum(entry.person for entry in model.identifiers) > 1:
        yield "identifiers: more than one is the `person`; at most one may be."
    for place, entry in enumerate(model.identifiers):
        yield from _pattern_problem(f"identifiers[{place}].pattern", entry.pattern)
    for place, field in enumerate(model.fields):
        path = f"fields[{place}]"
        yield from _pattern_problem(f"{path}.constraints.pattern", field.constraints.pattern)
        yield from _bound_problems(path, field)
        if field.type == "string" and field.format not in _STRING_FORMATS:
            yield f"{path}.format: found {field.format!r}, expected one of {', '.join(_STRING_FORMATS)}."
        if field.type in {"integer", "number", "boolean", "year"} and field.format != "default":
            yield f"{path}.format: found {field.format!r}, expected default for type {field.type}."
        if field.type in _EXAMPLES and field.format not in {"default", "any"} and not _parses(field.format):
            yield f"{path}.format: found {field.format!r}, expected default, any or a pattern, {_EXAMPLES[field.type]}."


def _pattern_problem(path: str, pattern: str | None) -> Iterator[str]:
    try:
        re.compile(pattern or "")
    except re.error as error:
        yield f"{path}: found {pattern!r}, which is no regular expression: {error}."


def _bound_problems(path: str, field: FieldFile) -> Iterator[str]:
    rules = field.constraints
    for name in BOUNDS:
        value = getattr(rules, name)
        if value is None:
            continue
        key = f"{path}.constraints.{to_camel(name)}"
        if field.type in {"string", "boolean"}:
            yield f"{key}: found {value!r}, but type {field.type} has no order."
            continue
        if not _fits(field, value):
            yield f"{key}: found {value!r}, expected a value of type {field.type}."
    yield from _order_problems(path, field)


def _order_problems(path: str, field: FieldFile) -> Iterator[str]:
    rules = field.constraints
    for low, high in (("min_length", "max_length"), ("minimum", "maximum")):
        least, most = getattr(rules, low), getattr(rules, high)
        if least is not None and most is not None and type(least) is type(most) and least > most:
            yield f"{path}.constraints.{to_camel(low)}: found {least!r}, expected at most {to_camel(high)} {most!r}."
    for name in ("min_length", "max_length"):
        if getattr(rules, name) is not None and field.type != "string":
            key = f"{path}.constraints.{to_camel(name)}"
            yield f"{key}: found {getattr(rules, name)!r}, but type {field.type} has no length."
    for place, allowed in enumerate(rules.enum or ()):
        if not _fits(field, allowed):
            yield f"{path}.constraints.enum[{place}]: found {allowed!r}, expected a value of type {field.type}."


def _fits(field: FieldFile, value: float | str) -> bool:
    """Return whether a bound or an allowed value is one of the field's type (as its default format writes it)."""
    try:
        if field.type in {"integer", "year"}:
            return int(value) == Decimal(str(value))
        if field.type == "number":
            return Decimal(str(value)).is_finite()
        if field.type in _PARSERS and field.format in {"default", "any"}:
            _PARSERS[field.type](str(value))
    except (ValueError, ArithmeticError):
        return False
    return True


def _parses(pattern: str) -> bool:
    """Return whether a pattern of `strptime` reads what it writes."""
    moment = datetime(2026, 8, 31, 18, 30, tzinfo=UTC)
    try:
        datetime.strptime(moment.strftime(pattern), pattern)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False
    return "%" in pattern


def project_problems(
    settings: ProjectFile, model: DataModelFile, pass_types: Sequence[str], folder: Path
) -> Iterator[str]:
    """Yield a sentence for each place where `project.toml` does not fit the rest of its folder."""
    if settings.name != folder.name:
        yield f"name: found {settings.name!r}, expected the folder's name {folder.name!r}."
    try:
        ZoneInfo(settings.timezone)
    except (KeyError, ValueError, OSError):
        yield f"timezone: found {settings.timezone!r}, expected a name like Europe/Paris."
    if not pass_types:
        yield "pass_types: the folder has no pass type."
    for name, count in Counter(feed.name for feed in settings.feeds).items():
        if count > 1:
            yield f"feeds: {name!r} stands {count} times; each may stand once."
    for place, feed in enumerate(settings.feeds):
        yield from _feed_problems(f"feeds[{place}]", feed, model, pass_types)


def _feed_problems(path: str, feed: FeedFile, model: DataModelFile, pass_types: Sequence[str]) -> Iterator[str]:
    names = [field.name for field in model.fields]
    columns = ["id", "passType", *(f"id.{kind.name}" for kind in model.identifiers), *names]
    writable = [*names, *(f"set.id.{kind.name}" for kind in model.identifiers), *_INSTRUCTIONS]
    for place, pattern in enumerate(feed.writable):
        plain = not re.search(r"[*?\[]", pattern)
        if column(pattern).role is Role.DATA and not any(fnmatchcase(name, pattern) for name in names):
            yield f"{path}.writable[{place}]: {pattern!r} is no field of the data model.{did_you_mean(pattern, names)}"
        elif plain and (column(pattern).role is Role.UNKNOWN or _corrects_nothing(pattern, model)):
            yield f"{path}.writable[{place}]: found {pattern!r}, expected a column.{did_you_mean(pattern, writable)}"
    for place, name in enumerate(feed.required):
        if name not in columns and column(name).role in {Role.DATA, Role.IDENTIFIER, Role.UNKNOWN}:
            yield f"{path}.required[{place}]: {name!r} is no column.{did_you_mean(name, columns)}"
        elif column(name).role is Role.DATA and not any(fnmatchcase(name, pattern) for pattern in feed.writable):
            yield f"{path}.required[{place}]: {name!r} is required, but no pattern of `writable` lets it in."
    if feed.pass_type is not None and feed.pass_type not in pass_types:
        yield f"{path}.pass_type: there is no pass type {feed.pass_type!r}.{did_you_mean(feed.pass_type, pass_types)}"
    yield from _notification_problems(f"{path}.notifications", feed.notifications, model)
    zone = (feed.expected_by or "").partition(" ")[2]
    if zone:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            yield f"{path}.expected_by: found {feed.expected_by!r}, expected a time and a zone, 06:30 Europe/Paris."


def _notification_problems(path: str, told: NotificationsFile, model: DataModelFile) -> Iterator[str]:
    fields = {field.name: field for field in model.fields}
    if told.timezone is not None and told.timezone not in fields:
        near = did_you_mean(told.timezone, list(fields))
        yield f"{path}.timezone: {told.timezone!r} is no field of the data model.{near}"
    elif told.timezone is not None and fields[told.timezone].type != "string":
        yield f"{path}.timezone: {told.timezone!r} is of type {fields[told.timezone].type}, expected a string."
    if told.window is not None and told.quiet is not None:
        window, quiet = Hours(*told.window), Hours(*told.quiet)
        # What is open at all is open at its beginning: that of the window, or the end of the quiet hours.
        if quiet.cover(window.start) and not window.cover(quiet.end):
            yield f"{path}.window: it lies within the quiet hours, so that no message would ever go."


def _corrects_nothing(pattern: str, model: DataModelFile) -> bool:
    found = column(pattern)
    return found.role is Role.SET_IDENTIFIER and found.part not in {kind.name for kind in model.identifiers}

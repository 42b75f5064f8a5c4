"""What would break for partners if a project's files changed from old to new."""

from collections.abc import Iterator
from typing import Final

from flatfile_sync.domain.project import Cardinality, Feed, Field, PassType, Project

_UPPER: Final = ("maximum", "exclusive_maximum", "max_length")
_LIMITS: Final = (*_UPPER, "minimum", "exclusive_minimum", "min_length")


def incompatible_changes(old: Project, new: Project) -> list[str]:
    """Return a sentence for each change after which a file that worked may fail."""
    return [*_model_changes(old, new), *_feed_changes(old, new)]


def _model_changes(old: Project, new: Project) -> Iterator[str]:
    for field in old.model.fields:
        other = new.model.field(field.name)
        if other is None:
            yield f"Field {field.name!r} was removed."
        else:
            yield from _field_changes(field, other)
    for kind in old.model.identifiers:
        found = new.model.identifier(kind.name)
        if found is None:
            yield f"Identifier {kind.name!r} was removed."
        elif kind.cardinality is not found.cardinality and found.cardinality is Cardinality.UNIQUE:
            yield f"Identifier {kind.name!r} became unique: values that several passes share no longer fit."
        elif found.pattern != kind.pattern and found.pattern is not None:
            yield f"Identifier {kind.name!r} has another pattern: {found.pattern}."
    for pass_type in old.pass_types:
        successor = new.pass_type(pass_type.name)
        if successor is None:
            yield f"Pass type {pass_type.name!r} was removed."
        else:
            yield from _pass_type_changes(pass_type, successor)


def _pass_type_changes(old: PassType, new: PassType) -> Iterator[str]:
    for platform in old.platforms:
        if platform not in new.platforms:
            yield f"Pass type {old.name!r} is no longer there for {platform}: passes that are out get no updates."
    # Google has no way to delete or convert an object; Apple's pass may change its style, but not on every device.
    for about, before, after in (("style", old.style, new.style), ("Google type", old.google_type, new.google_type)):
        if before and after and before != after:
            yield f"Pass type {old.name!r} changed its {about} from {before} to {after}; make another pass type of it."


def _field_changes(old: Field, new: Field) -> Iterator[str]:
    if old.type != new.type:
        yield f"Field {old.name!r} changed its type from {old.type} to {new.type}."
        return
    if old.format != new.format:
        yield f"Field {old.name!r} changed its format from {old.format} to {new.format}."
    before, after = old.constraints, new.constraints
    if after.required and not before.required:
        yield f"Field {old.name!r} became required."
    if after.unique and not before.unique:
        yield f"Field {old.name!r} became unique."
    if after.pattern is not None and after.pattern != before.pattern:
        yield f"Field {old.name!r} has another pattern: {after.pattern}."
    if after.enum is not None and (before.enum is None or not set(before.enum) <= set(after.enum)):
        yield f"Field {old.name!r} allows fewer values: {', '.join(after.enum)}."
    for name in _LIMITS:
        low, high = getattr(before, name), getattr(after, name)
        if high is not None and (low is None or (high < low if name in _UPPER else high > low)):
            yield f"Field {old.name!r} is limited more: {name} {high}."


def _feed_changes(old: Project, new: Project) -> Iterator[str]:
    for feed in old.feeds:
        other = new.feed(feed.name)
        if other is None:
            yield f"Feed {feed.name!r} was removed."
            continue
        lost = [
            field.name for field in old.model.fields if feed.may_write(field.name) and not other.may_write(field.name)
        ]
        for name in lost:
            yield f"Feed {feed.name!r} may no longer write {name!r}."
        if feed.operation is not other.operation:
            yield f"Feed {feed.name!r} changed its operation from {feed.operation} to {other.operation}."
        for name in _operations(feed) - _operations(other):
            yield f"Feed {feed.name!r} no longer allows operation {name!r}."
        for name in set(other.required) - set(feed.required):
            yield f"Feed {feed.name!r} requires column {name!r} now."
        for glob in set(feed.globs) - set(other.globs):
            yield f"Feed {feed.name!r} no longer takes files named {glob!r}."


def _operations(feed: Feed) -> set[str]:
    return {operation.value for operation in feed.allowed_operations}

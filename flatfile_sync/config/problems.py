"""What is wrong with a file of configuration, as sentences: file, key path, value found, values allowed."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from flatfile_sync.domain.failures import ConfigurationError
from flatfile_sync.domain.spelling import did_you_mean, near_miss

_MEMBER: Final = re.compile(r"(constrained-)?(int|float|str|bool)|.*\[.*")
_WORD: Final = re.compile(r"'([^']*)'")


def raise_problems(file: Path, problems: Iterable[str]) -> None:
    """Raise `ConfigurationError` with all problems of a file, if there are any."""
    lines = list(problems)
    if lines:
        raise ConfigurationError("\n".join(f"{file}: {line}" for line in lines))


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return a sentence per value that pydantic refused."""
    places: dict[tuple[Any, ...], list[Any]] = {}
    for entry in error.errors(include_url=False):
        # A union adds the name of each of its members to the path; a person knows keys and places only.
        location = tuple(part for part in entry["loc"] if not (isinstance(part, str) and _MEMBER.fullmatch(part)))
        places.setdefault(location, []).append(entry)
    return [_sentence(location, entries, model) for location, entries in places.items()]


def _sentence(location: Sequence[Any], entries: Sequence[Any], model: type[BaseModel]) -> str:
    path, first = key_path(location), entries[0]
    if first["type"] == "extra_forbidden":
        return f"{path}: unknown key.{did_you_mean(str(location[-1]), _keys(model, location[:-1]))}"
    if first["type"] == "missing":
        return f"{path}: is missing."
    expected = " or ".join(dict.fromkeys(_expected(entry) for entry in entries))
    allowed = [word for entry in entries for word in _WORD.findall(str(entry.get("ctx", {}).get("expected", "")))]
    return f"{path}: found {first['input']!r}, expected {expected}.{near_miss(str(first['input']), allowed)}"


def _expected(entry: Any) -> str:
    """Return what pydantic expected as words that follow `expected`."""
    limits = entry.get("ctx", {})
    if entry["type"] == "string_pattern_mismatch":
        return f"text that matches {limits['pattern']}"
    if entry["type"] in {"string_too_short", "too_short"}:
        return f"at least {limits['min_length']} {'character' if entry['type'].startswith('string') else 'entry'}"
    if entry["type"] == "string_too_long":
        return f"at most {limits['max_length']} character"
    message = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return message.partition(", unable to parse")[0].replace("False", "false")


def key_path(location: Sequence[Any]) -> str:
    """Return `feeds[0].guards.action`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _keys(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    """Return the keys that a table of the file may have."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        by_name = {(field.alias or name): field for name, field in current.model_fields.items()}
        current = _model_of(by_name[part].annotation)
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_of(annotation: Any) -> Any:
    arguments = getattr(annotation, "__args__", ())
    return next((part for part in arguments if isinstance(part, type) and issubclass(part, BaseModel)), annotation)

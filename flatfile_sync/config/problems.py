"""What is wrong with a file of configuration, as sentences: file, key path, value found, values allowed."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from flatfile_sync.domain.failures import ConfigurationError


def raise_problems(file: Path, problems: Iterable[str]) -> None:
    """Raise `ConfigurationError` with all problems of a file, if there are any."""
    lines = list(problems)
    if lines:
        raise ConfigurationError("\n".join(f"{file}: {line}" for line in lines))


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return a sentence per problem that pydantic found."""
    return [_sentence(entry, model) for entry in error.errors(include_url=False)]


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return ` Did you mean ...?` for the likely one, else the list of known ones."""
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f" Did you mean `{near[0]}`?" if near else f" Known are {', '.join(f'`{name}`' for name in known)}."


def _sentence(entry: Any, model: type[BaseModel]) -> str:
    # A union adds the name of each of its members to the path; a person knows keys and places only.
    location = [part for part in entry["loc"] if not (isinstance(part, str) and "[" in part)]
    path = key_path(location)
    if entry["type"] == "extra_forbidden":
        return f"{path}: unknown key.{did_you_mean(str(location[-1]), _keys(model, location[:-1]))}"
    if entry["type"] == "missing":
        return f"{path}: is missing."
    message = entry["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{path}: found {entry['input']!r}, expected {message}."


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

"""A file of configuration to its closed model."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from flatfile_sync.config.problems import sentences
from flatfile_sync.domain.failures import ConfigurationError

M = TypeVar("M", bound=BaseModel)


def read(file: Path, model: type[M]) -> M:
    """Return what a TOML or JSON file says. Raises `ConfigurationError` that lists all its problems."""
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: is missing.") from None
    try:
        data: Any = tomllib.loads(text.decode()) if file.suffix == ".toml" else orjson.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError("\n".join(f"{file}: {line}" for line in sentences(error, model))) from None

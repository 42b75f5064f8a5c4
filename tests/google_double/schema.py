"""Google's resources as its discovery document describes them: closed, and without what is deprecated."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import googleapiclient

_FILE = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / "walletobjects.v1.json"
_LARGEST = {"int32": 2**31, "int64": 2**63}


@functools.cache
def discovery() -> dict:
    """Return the discovery document that ships inside google-api-python-client."""
    return json.loads(_FILE.read_bytes())


def problems(name: str, value: object, *, path: str = "", nulls: bool = False) -> Iterator[str]:
    """Yield what is wrong with a value of a schema; `nulls`: a null deletes a key, as in a PATCH."""
    if not isinstance(value, dict):
        yield f"{path or name}: expected an object"
        return
    properties = discovery()["schemas"][name]["properties"]
    for key, inner in value.items():
        about = properties.get(key)
        here = f"{path}.{key}" if path else key
        if about is None:
            yield f'Unknown name "{key}" at {path or name!r}: Cannot find field.'
        elif about.get("deprecated"):
            yield f"{here}: is deprecated"
        elif inner is None:
            if not nulls:
                yield f"{here}: is null"
        else:
            yield from _one(about, inner, here, nulls=nulls)


def _one(about: dict, value: object, path: str, *, nulls: bool) -> Iterator[str]:
    if "$ref" in about:
        yield from problems(about["$ref"], value, path=path, nulls=nulls)
    elif about["type"] == "array":
        if not isinstance(value, list):
            yield f"{path}: expected a list"
            return
        for place, item in enumerate(value):
            # An array is replaced whole, so there is nothing inside it that a null could delete.
            yield from _one(about["items"], item, f"{path}[{place}]", nulls=False)
    elif not _fits(about, value):
        yield f"{path}: {value!r} is no {about.get('format') or about['type']}"


def _fits(about: dict, value: object) -> bool:
    kind = about["type"]
    if kind == "string":
        return isinstance(value, str) and _spelt(about, value)
    if isinstance(value, bool) or kind == "boolean":
        return isinstance(value, bool) and kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float)
    return isinstance(value, int) and -_LARGEST["int32"] <= value < _LARGEST["int32"]


def _spelt(about: dict, value: str) -> bool:
    if "enum" in about:
        old = about.get("enumDeprecated") or [False] * len(about["enum"])
        allowed = {word for word, gone in zip(about["enum"], old, strict=True) if not gone}
        return value in allowed and not value.endswith("_UNSPECIFIED")
    if about.get("format") == "int64":
        return value.removeprefix("-").isdigit() and -_LARGEST["int64"] <= int(value) < _LARGEST["int64"]
    return True

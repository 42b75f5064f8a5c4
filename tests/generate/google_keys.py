"""Google's keys as a small table, made of the discovery document that ships inside google-api-python-client."""

from pathlib import Path
from typing import Any, Final

import googleapiclient
import orjson

TARGET: Final = Path(__file__).parents[2] / "flatfile_sync" / "wallets" / "templates" / "google_keys.json"
_DOCUMENT: Final = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / "walletobjects.v1.json"
_TYPES: Final = ("loyalty", "giftCard", "eventTicket", "offer", "generic")
_KINDS: Final = {"string": "text", "double": "number", "int32": "int32", "int64": "int64", "boolean": "boolean"}


def files() -> dict[Path, bytes]:
    """Return the table by its path."""
    document = orjson.loads(_DOCUMENT.read_bytes())
    tables: dict[str, dict[str, str]] = {}
    for name in _TYPES:
        for kind in ("Class", "Object"):
            _collect(f"{name[0].upper()}{name[1:]}{kind}", document["schemas"], tables)
    found = {"revision": document["revision"], "tables": tables}
    return {TARGET: orjson.dumps(found, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"}


def _collect(name: str, schemas: dict[str, Any], tables: dict[str, dict[str, str]]) -> None:
    if name in tables:
        return
    tables[name] = {}
    for key, about in schemas[name]["properties"].items():
        tables[name][key] = word = _word(about)
        reference = word.removesuffix("[]").removeprefix("@")
        if word.startswith("@"):
            _collect(reference, schemas, tables)


def _word(about: dict[str, Any]) -> str:
    """Return the type of a key: a kind, `@Table` or `ONE|OTHER`, then `[]` for a list; or `deprecated`."""
    if about.get("deprecated") or "Deprecated" in about.get("description", ""):
        return "deprecated"
    if about.get("type") == "array":
        return _word(about["items"]) + "[]"
    if "$ref" in about:
        return f"@{about['$ref']}"
    if "enum" in about:
        old = about.get("enumDeprecated", [False] * len(about["enum"]))
        words = [word for word, gone in zip(about["enum"], old, strict=True) if not gone]
        return "|".join(word for word in words if not word.endswith("_UNSPECIFIED"))
    return _KINDS[about.get("format") or about["type"]]

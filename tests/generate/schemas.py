"""The schemas of our own formats: JSON Schema for what is written and read as JSON or TOML, Table Schema for CSV."""

import re
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, TypeAdapter

from flatfile_sync.config.descriptor import DataModelFile, PassTypeFile, ProjectFile
from flatfile_sync.config.settings import Settings
from flatfile_sync.domain.catalogue import CATALOGUE
from flatfile_sync.files import report_columns
from flatfile_sync.files.report_columns import ReportColumn
from flatfile_sync.pipeline import documents

SCHEMAS: Final = Path(__file__).parents[2] / "schemas"
_READ: Final[dict[str, type[BaseModel]]] = {
    "project": ProjectFile,
    "data_model": DataModelFile,
    "pass_type": PassTypeFile,
    "settings": Settings,
}
_WRITTEN: Final = {
    "ack": documents.Ack,
    "progress": documents.Progress,
    "summary": documents.Summary,
    "delivery": documents.DeliverySummary,
}
_TABLES: Final = {
    "result": report_columns.RESULT,
    "issues": report_columns.ISSUES,
    "delivery": report_columns.DELIVERY,
}
# How pydantic writes a duration as JSON; in our files it is `10s`.
_DURATION: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def files() -> dict[Path, bytes]:
    """Return every schema, and the issue catalogue, by its path."""
    found = {f"{name}.schema.json": _document(model.model_json_schema()) for name, model in _READ.items()}
    for name, kind in _WRITTEN.items():
        found[f"{name}.schema.json"] = _document(TypeAdapter(kind).json_schema(mode="serialization"))
    for name, columns in _TABLES.items():
        found[f"{name}.table.json"] = _json(_table(columns))
    found["issue_codes.md"] = _catalogue().encode()
    return {SCHEMAS / name: data for name, data in found.items()}


def _document(schema: dict[str, Any]) -> bytes:
    return _json({"$schema": "https://json-schema.org/draft/2020-12/schema", **_tidy(schema)})


def _tidy(part: Any) -> Any:
    """Return a schema with durations as our files write them, paragraphs as one line, and no titles made from names."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    tidied = {}
    for key, value in part.items():
        if key == "title" and isinstance(value, str) and "properties" not in part:
            continue
        if key == "default" and isinstance(value, str) and value.startswith("P"):
            tidied[key] = _duration(value)
        elif key == "description" and isinstance(value, str):
            tidied[key] = " ".join(value.split())
        else:
            tidied[key] = _tidy(value)
    return tidied


def _duration(text: str) -> str:
    found = _DURATION.fullmatch(text)
    if found is None:
        return text
    return "".join(f"{amount}{unit}" for amount, unit in zip(found.groups(), "dhms", strict=True) if amount)


def _table(columns: tuple[ReportColumn, ...]) -> dict[str, Any]:
    """Return a Table Schema (https://specs.frictionlessdata.io/table-schema/)."""
    fields = []
    for column in columns:
        field: dict[str, Any] = {"name": column.name, "type": column.kind, "description": column.description}
        if column.words is not None:
            field["constraints"] = {"enum": [word.value for word in column.words]}
        fields.append(field)
    return {"fields": fields, "missingValues": [""]}


def _catalogue() -> str:
    lines = [
        "# Issue codes",
        "",
        "Every problem that a result set can name. A code is never renumbered or reused. The samples lie in",
        "`sample_files/`, each with the result set that it gives beside it.",
        "",
        "| code | title | severity | owner | retryable | message | hint | sample |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in CATALOGUE.values():
        cells = (
            entry.code,
            entry.title,
            entry.severity.value,
            entry.owner.value,
            "yes" if entry.retryable else "no",
            entry.message,
            entry.hint,
            _sample(entry.code),
        )
        lines.append("| " + " | ".join(re.sub(r"!r\}", "}", cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _sample(code: str) -> str:
    found = sorted((SCHEMAS.parent / "sample_files").glob(f"*/{code}-*.csv*"))
    return f"[{found[0].name.split('.')[0]}](../sample_files/{found[0].parent.name}/{found[0].name})"


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

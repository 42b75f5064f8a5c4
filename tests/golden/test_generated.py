"""What is generated is current, and what we write and read is as the schemas say."""

import csv
import io
import tomllib
from datetime import timedelta

import jsonschema
import orjson
import pytest
from PIL import Image, ImageChops, ImageStat

from flatfile_sync.config.settings import Settings, example_toml
from flatfile_sync.files.report_columns import DELIVERY, ISSUES, RESULT, names
from flatfile_sync.pipeline.progress import Progress
from flatfile_sync.store import artefacts
from tests.builders import drop as make_drop
from tests.builders import kit as make_kit
from tests.generate import artwork, google_keys, readme, samples, schemas
from tests.golden.cases import find
from tests.golden.cases import names as cases

_DOCUMENTS = ("ack", "summary", "delivery")


@pytest.mark.parametrize(
    "part", [google_keys, samples, schemas, readme], ids=["Google's keys", "samples", "schemas", "README.md"]
)
def test_generated_files_are_current(part):
    stale = [path.name for path, data in part.files().items() if not path.is_file() or path.read_bytes() != data]
    assert not stale, "`make generate` makes them anew"


def test_the_images_of_the_examples_are_as_they_are_drawn():
    """Another version of the drawing library may move an edge by a hair, and packs the bytes otherwise."""
    for path, data in artwork.files().items():
        drawn, stored = (Image.open(source).convert("RGBA") for source in (io.BytesIO(data), path))
        assert (path.name, drawn.size) == (path.name, stored.size)
        assert max(ImageStat.Stat(ImageChops.difference(drawn, stored)).mean) < 3, "`make generate` draws them anew"


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_the_documents_of_every_sample_are_as_their_schema_says(name):
    schema = _schema(name)
    found = [data for case in cases() if (data := find(case).expected().get(f"{name}.json"))]
    assert found
    for data in found:
        document = orjson.loads(data)
        jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
        assert list(document) == list(schema["properties"])


async def test_a_progress_note_is_as_its_schema_says(sqlite_store, spool, clock):
    kit = make_kit(sqlite_store, spool, clock=clock)
    drop = make_drop()
    progress = Progress(drop, kit=kit)
    clock.advance(timedelta(seconds=3))
    progress.step("validate")(40_000)
    await progress.end()
    [entry] = sqlite_store.read_now(lambda conn: artefacts.of_drop(conn, drop.id))
    document = orjson.loads(spool.path(entry.blob).read_bytes())
    jsonschema.validate(document, _schema("progress"), cls=jsonschema.Draft202012Validator)
    assert list(document) == list(_schema("progress")["properties"])


@pytest.mark.parametrize("name", ["loyalty", "events"])
def test_the_example_projects_are_as_the_schemas_say(name):
    folder = schemas.SCHEMAS / name
    jsonschema.validate(tomllib.loads((folder / "project.toml").read_text()), _schema("project"))
    jsonschema.validate(orjson.loads((folder / "data_model.json").read_bytes()), _schema("data_model"))


def test_the_example_settings_are_as_the_schema_says():
    jsonschema.validate(tomllib.loads(example_toml()), _schema("settings"))
    jsonschema.validate(orjson.loads(Settings().model_dump_json()), _schema("settings"))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("project", {"name": "x", "title": "X", "feeds": [{"name": "a", "operatoin": "update"}]}),
        ("project", {"name": "x", "title": "X", "feeds": [{"name": "a", "settle": "soon"}]}),
        ("data_model", {"fields": [{"name": "additionalData.a", "type": "int"}], "identifiers": [{"name": "id"}]}),
        ("settings", {"sftp": {"port": 70_000}}),
    ],
)
def test_a_schema_refuses_what_the_loader_refuses(name, wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, _schema(name))


@pytest.mark.parametrize(("kind", "columns"), [("result", RESULT), ("issues", ISSUES), ("delivery", DELIVERY)])
def test_the_tables_of_every_sample_hold_what_their_schema_says(kind, columns):
    descriptor = orjson.loads((schemas.SCHEMAS / f"{kind}.table.json").read_bytes())
    words = {
        field["name"]: {*field["constraints"]["enum"], ""} for field in descriptor["fields"] if "constraints" in field
    }
    integers = [field["name"] for field in descriptor["fields"] if field["type"] == "integer"]
    seen = 0
    for case in cases():
        data = find(case).expected().get(f"{kind}.csv")
        if data is None:
            continue
        table = csv.DictReader(io.StringIO(data.decode(), newline=""))
        assert tuple(table.fieldnames) == names(columns)
        for row in table:
            seen += 1
            assert all(row[name] in allowed for name, allowed in words.items())
            assert all(row[name].isdecimal() or not row[name] for name in integers)
    assert seen


def _schema(name):
    return orjson.loads((schemas.SCHEMAS / f"{name}.schema.json").read_bytes())

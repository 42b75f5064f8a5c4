"""Every sample file gives the result set that lies beside it, byte for byte."""

import csv
import io

import orjson
import pytest

from flatfile_sync.domain.catalogue import CATALOGUE
from flatfile_sync.spool.local import Spool
from tests.golden.cases import find, names
from tests.golden.seeding import seed
from tests.golden.stores import Stores
from tests.golden.walking import walk

ALSO_ON_POSTGRESQL = ["operation-upsert", "corrections", "superseded", "operation-notify", "K04-identifiers-disagree"]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    return Stores(tmp_path_factory.mktemp("stores"))


async def _artefacts(case, stores, folder, **options):
    store = stores.open(case.project, folder / "walk.db")
    try:
        return case.compared(await walk(case, store, Spool(folder / "spool"), **options))
    finally:
        store.close()


@pytest.mark.parametrize("name", names())
async def test_a_sample_gives_the_result_set_beside_it(name, stores, tmp_path):
    case = find(name)
    assert await _artefacts(case, stores, tmp_path) == case.expected(), "`make golden` after an intended change"


@pytest.mark.parametrize("name", ["loyalty/superseded", "loyalty/operation-upsert", "events/V07-value-not-unique"])
async def test_chunks_of_any_size_give_the_same_result_set(name, stores, tmp_path):
    case = find(name)
    assert await _artefacts(case, stores, tmp_path, chunk_records=2) == case.expected()


@pytest.mark.parametrize("name", ALSO_ON_POSTGRESQL)
async def test_postgresql_gives_the_same_result_set(name, postgresql_store, spool):
    case = find(f"loyalty/{name}")
    seed(postgresql_store, "loyalty")
    assert case.compared(await walk(case, postgresql_store, spool)) == case.expected()


def test_the_samples_provoke_every_code_of_the_catalogue_and_no_other():
    provoked = {row["_code"] for name in names() for row in _table(find(name), "issues.csv")}
    assert provoked == set(CATALOGUE)


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_code_has_a_sample_of_its_name_that_provokes_it(code):
    samples = [name for name in names() if name.partition("/")[2].startswith(f"{code}-")]
    assert samples
    for name in samples:
        assert code in {row["_code"] for row in _table(find(name), "issues.csv")}


@pytest.mark.parametrize("name", names())
def test_the_counts_of_a_sample_reconcile(name):
    expected = find(name).expected()
    if "summary.json" not in expected:
        assert set(expected) == {"ack.json"}
        return
    summary = orjson.loads(expected["summary.json"])
    counts = summary["counts"]
    assert counts["read"] == sum(count for word, count in counts.items() if word != "read")
    problems = _table(find(name), "issues.csv")
    assert len(problems) == summary["issues"] == sum(entry["count"] for entry in summary["codes"].values())
    if "result.csv" in expected:
        rows = _table(find(name), "result.csv")
        assert [int(row["_record"]) for row in rows] == list(range(1, counts["read"] + 1))
        assert {row["_status"] for row in rows} == {word for word, count in counts.items() if count and word != "read"}


@pytest.mark.parametrize("name", names())
def test_the_rejects_of_a_sample_are_bytes_of_the_file(name):
    case = find(name)
    rejects = case.expected().get("rejects.csv")
    if rejects is None:
        summary = orjson.loads(case.expected().get("summary.json", b'{"counts": {}}'))
        assert not any(summary["counts"].get(word) for word in ("rejected", "skipped", "unprocessed"))
        return
    data = case.content if case.path.suffix == ".gz" else case.path.read_bytes()
    for row in _table(case, "issues.csv"):
        if row["_reject_line"]:
            first, last = int(row["_line"]), int(row["_line_end"])
            lines = data.split(b"\n")[first - 1 : last]
            start = int(row["_reject_line"]) - 1
            assert rejects.split(b"\n")[start : start + len(lines)] == lines


def test_personal_data_is_in_no_sentence_of_a_result_set():
    case = find("loyalty/personal-data-stays-masked")
    rows = [*_table(case, "issues.csv"), *_table(case, "result.csv")]
    told = [row.get(name, "") for row in rows for name in ("_value", "_message", "_hint")]
    assert not [text for text in told if "anary" in text]
    assert b"anary" not in case.expected()["summary.json"] + case.expected()["ack.json"]


def _table(case, kind):
    return list(csv.DictReader(io.StringIO(case.expected().get(kind, b"").decode(), newline="")))

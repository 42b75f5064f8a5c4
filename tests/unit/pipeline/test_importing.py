import orjson
import pytest

from flatfile_sync.domain.project import Constraints, OnError
from flatfile_sync.pipeline.importing import import_passes
from flatfile_sync.store import audit, identifiers, passes
from tests.builders import field, loyalty
from tests.builders import kit as make_kit
from tests.line import document_of, seed

HEAD = "id,passType,id.memberId,id.email,additionalData.points,status,apple,google\n"


@pytest.fixture
def bring(store, clock, tmp_path):
    def run(text, *, project=None, chunk_records=2, **more):
        file = tmp_path / "passes.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return import_passes(
            file, project or loyalty(), store=store, work=tmp_path, clock=clock, chunk_records=chunk_records, **more
        )

    return run


def stored(store, kind, value):
    return store.read_now(lambda conn: passes.find(conn, "loyalty", kind, value))


def told(found):
    return [(problem.line, problem.issue.code, problem.issue.column) for problem in found.problems]


def test_rows_become_passes_with_all_they_say(bring, store, clock):
    text = HEAD + "one,card,001,a@b.example,0120,voided,2,1\n,gift,002,a@b.example,,,,\n"
    found = bring(text)
    assert (found.created, found.present, found.problems) == (2, 0, [])
    [first] = stored(store, "memberId", "001")
    assert (first.id, first.pass_type, first.status, first.revision) == ("one", "card", "voided", 1)
    assert (first.apple, first.google, first.writers) == (2, 1, "{}")
    assert first.document == '{"additionalData.points":120}'
    assert first.modified_at == int(clock().timestamp()) * 1_000_000
    [second] = stored(store, "memberId", "002")
    assert (second.pass_type, second.status, second.document, second.apple) == ("gift", "active", "{}", 0)
    assert len(second.id) == 32
    assert [row.no for row in stored(store, "email", "a@b.example")] == [first.no, second.no]
    [event] = store.read_now(lambda conn: audit.events(conn, "passes_imported"))
    assert event == {"project": "loyalty", "file": "passes.csv", "created": 2, "present": 0}


def test_a_drop_finds_an_imported_pass_by_every_identifier(bring, store):
    bring(HEAD + "one,card,001,a@b.example,1,,,\n")
    found = store.read_now(lambda conn: identifiers.of_passes(conn, [1]))
    assert found == [(1, "email", "a@b.example"), (1, "memberId", "001")]


def test_the_same_file_again_changes_nothing_with_or_without_ids(bring, store):
    text = HEAD + "one,card,001,,1,,,\n,card,002,,2,,,\n,gift,002,,3,,,\n"
    assert bring(text).created == 3
    seen = []
    found = bring(text.replace(",1,", ",7,"), progress=lambda done, records: seen.append((done, records)))
    assert (found.created, found.present, found.problems) == (0, 3, [])
    assert seen == [(2, 3), (3, 3)]
    assert [row.document for row in stored(store, "memberId", "001")] == ['{"additionalData.points":1}']


def test_a_chunk_with_a_problem_is_not_stored_and_ends_the_import(bring, store):
    rows = [f",card,{n:03},,{n},,," for n in range(6)]
    rows[3] = ",card,003,,many,,,"
    found = bring(HEAD + "\n".join(rows) + "\n")
    assert (found.created, found.done, found.records) == (2, 2, 6)
    assert told(found) == [(5, "V01", "additionalData.points")]
    assert store.read_now(lambda conn: passes.count(conn, "loyalty")) == 2
    rows[3] = ",card,003,,3,,,"
    found = bring(HEAD + "\n".join(rows) + "\n")
    assert (found.created, found.present, found.problems) == (4, 2, [])


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        ("a b,card,001,,1,,,", "V05", "id"),
        (",,001,,1,,,", "K06", "passType"),
        (",crad,001,,1,,,", "V06", "passType"),
        (",card,,a@b.example,1,,,", "K06", "id"),
        (",card,,,1,,,", "K01", "id"),
        (",card,001,,1,gone,,", "V06", "status"),
        (",card,001,,1,,-1,", "V03", "apple"),
        (",card,001,,1,,,yes", "V01", "google"),
        (",card,001,,1,,", "D03", None),
    ],
)
def test_what_is_wrong_is_named_with_line_and_column(bring, store, row, code, column):
    found = bring(HEAD + ",card,000,,1,,,\n" + row + "\n")
    [(line, found_code, found_column)] = told(found)
    assert (line, found_code) == (3, code)
    assert found_column == column or code == "K01"
    assert store.read_now(lambda conn: passes.count(conn, "loyalty")) == 0


@pytest.mark.parametrize("chunk_records", [10, 1])
@pytest.mark.parametrize("ids", [("one", "one", "001", "002"), ("one", "two", "001", "001"), ("", "", "001", "001")])
def test_one_pass_twice_in_a_file_is_a_mistake(bring, ids, chunk_records):
    first, second, left, right = ids
    text = HEAD + f"{first},card,{left},,1,,,\n{second},card,{right},,2,,,\n"
    assert [entry[:2] for entry in told(bring(text, chunk_records=chunk_records))] == [(3, "K05")]


def test_a_pass_that_is_there_keeps_its_identifiers(bring, kit_members):
    found = bring(HEAD + "new,card,001,,1,,,\n,card,002,,2,,,\n", chunk_records=1)
    assert told(found) == [(2, "K05", "id.memberId")]
    assert "id.memberId = 001" in found.problems[0].issue.message
    text = "id,passType,id.memberId,id.crm.contactId\n,card,001,C9\n,card,001,C2\n"
    assert [entry[:2] for entry in told(bring(text))] == [(2, "K05"), (3, "K05")]
    assert kit_members("001") == [{"additionalData.points": 1}]


@pytest.fixture
def kit_members(store, spool, clock):
    kit = make_kit(store, spool, clock=clock)
    seed(kit, *(({"memberId": f"00{n}", "crm.contactId": f"C{n}"}, {"additionalData.points": n}) for n in (1, 2)))
    return lambda value: document_of(kit, "memberId", value)


def test_an_id_of_another_project_is_taken(bring):
    bring(HEAD + "one,card,001,,1,,,\n")
    found = bring(HEAD + "one,card,001,,1,,,\n", project=loyalty(name="other"))
    assert told(found) == [(2, "K05", "id")]


def test_a_value_that_must_be_unique_is_found_across_chunks_and_masked_if_personal(bring):
    model = loyalty().model
    coupon = field("additionalData.coupon", pii=True, constraints=Constraints(unique=True))
    fields = tuple(coupon if entry.name == coupon.name else entry for entry in model.fields)
    project = loyalty(model=type(model)(fields=fields, identifiers=model.identifiers))
    rows = "".join(f"card,{n:03},C{n % 2}\n" for n in range(3))
    found = bring("passType,id.memberId,additionalData.coupon\n" + rows, project=project)
    assert told(found) == [(4, "V07", "additionalData.coupon")]
    assert "record 1 too" in found.problems[0].issue.message
    assert "C0" not in found.problems[0].issue.message


def test_required_values_are_required_and_dropped_ones_are_counted(bring):
    model = loyalty().model
    points = field("additionalData.points", "integer", on_error=OnError.DROP)
    tier = field("additionalData.tier", constraints=Constraints(required=True))
    project = loyalty(model=type(model)(fields=(points, tier), identifiers=model.identifiers))
    head = "passType,id.memberId,additionalData.points,additionalData.tier\n"
    found = bring(head + "card,001,x,Gold\n", project=project)
    assert (found.created, found.warned) == (1, 1)
    assert told(bring(head + "card,002,1,\n", project=project)) == [(2, "K06", "additionalData.tier")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "F01"),
        (HEAD.replace("apple", "appel") + "one,card,001,,1,,,\n", "H01"),
        (HEAD.replace(",google", ",op") + "one,card,001,,1,,,\n", "H02"),
        (b"id,passType,id.memberId\none,card,\xff\n", "D01"),
    ],
)
def test_a_file_that_cannot_be_read_stores_nothing(bring, store, text, code):
    found = bring(text)
    assert code in [problem.issue.code for problem in found.problems]
    assert store.read_now(lambda conn: passes.count(conn, "loyalty")) == 0


def test_values_land_where_the_model_says_and_null_tokens_leave_nothing(bring, store):
    model = loyalty().model
    project = loyalty(model=type(model)(fields=model.fields, identifiers=model.identifiers, missing_values=("", "-")))
    bring("passType,id.memberId,additionalData.points,metadata.source,apple\ncard,001,-,x,-\n", project=project)
    [row] = stored(store, "memberId", "001")
    assert orjson.loads(row.document) == {"metadata.source": "x"}
    assert row.apple == 0

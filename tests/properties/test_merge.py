"""The merge of a chunk against a model that lays one record after the other over a pass."""

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flatfile_sync.domain.catalogue import issue
from flatfile_sync.domain.merge import merge
from flatfile_sync.pipeline.merging import Circumstances, Order, merge_chunk
from flatfile_sync.pipeline.owing import Offer
from flatfile_sync.store.passes import PassRow, stamp

KEYS = ("a", "b", "c")
NAMES = (*KEYS, "status", "expires_at")
values = st.one_of(st.integers(0, 2), st.booleans(), st.sampled_from(["", "0", "1", "x"]))
documents = st.dictionaries(st.sampled_from(KEYS), values)
patches = st.dictionaries(st.sampled_from(KEYS), st.none() | values)


def same(left, right):
    return type(left) is type(right) and left == right


@given(documents, patches)
def test_merge_is_key_by_key_and_tells_what_changed(document, patch):
    expected = {key: value for key, value in (document | patch).items() if value is not None}
    before = dict(document)
    changed = merge(document, patch)
    assert document == expected
    assert all(same(document[key], expected[key]) for key in expected)
    assert set(changed) == {key for key in KEYS if not same(before.get(key), expected.get(key))}
    assert merge(document, patch) == ()


extras = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["active", "voided", "expired"]),
        "expires_at": st.sampled_from(["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]),
        "messages": st.just({"": "Hello"}),
    },
)
records = st.tuples(st.integers(1, 3), st.sampled_from(["update", "void"]), patches, extras, st.booleans())
passes = st.tuples(
    documents, st.sampled_from(["active", "voided"]), st.integers(0, 1), st.integers(0, 1), st.integers(0, 12)
)


def stored(no, owner):
    document, status, apple, google, writer = owner
    return PassRow(
        no=no,
        id=f"p{no}",
        project="loyalty",
        pass_type="card",
        status=status,
        revision=5,
        document=orjson.dumps(document).decode(),
        expires_at=None,
        writers=orjson.dumps({"members": writer} if writer else {}).decode(),
        apple=apple,
        google=google,
        modified_at=0,
    )


class Model:
    """A pass as (document, status, expiry), and what each of its records writes."""

    def __init__(self, document, status):
        self.state = ({**document}, status, None)

    def take(self, order):
        document, status, expires_at = self.state
        document = {key: value for key, value in (document | order.patch).items() if value is not None}
        status = "voided" if order.op == "void" else order.extra.get("status", status)
        self.state = (document, status, order.extra.get("expires_at", expires_at))


def exact(state):
    """Return a state in which `True` and `1` differ."""
    document, *rest = state
    return {key: (type(value), value) for key, value in document.items()}, rest


def fair(verdict, shown, owed):
    """Return whether Apple's word of a record is right: queued if what it changed is shown, and something is owed."""
    alone = shown is None or bool(shown & set(verdict.changed))
    return verdict.apple not in {"queued", "not_shown"} or (verdict.apple == "queued") == (alone and owed)


def different(one, other):
    """Return the names of what two states do not have alike."""
    (before, *_), (after, *_) = exact(one), exact(other)
    found = {key for key in KEYS if before.get(key) != after.get(key)}
    rest = zip(("status", "expires_at"), one[1:], other[1:], strict=True)
    return found | {name for name, left, right in rest if left != right}


def fields(order):
    named = set(order.patch) | (set(order.extra) & {"status", "expires_at"})
    return named | ({"status"} if order.op == "void" else set())


@settings(max_examples=250)
@example(
    chosen=[(1, "update", {"b": None, "c": True}, {}, False), (1, "update", {"b": 1}, {}, False)],
    owners=[({"b": 1, "c": 1}, "active", 1, 1, 0), *[({}, "active", 0, 0, 0)] * 2],
    refuse_stale=False,
    shown=None,
)
@example(
    chosen=[(1, "update", {"a": 2, "b": 2}, {}, False), (1, "update", {"a": 1}, {}, False)],
    owners=[({"a": 1}, "active", 1, 1, 0), *[({}, "active", 0, 0, 0)] * 2],
    refuse_stale=False,
    shown=frozenset({"a"}),
)
@given(
    st.lists(records, max_size=8),
    st.lists(passes, min_size=3, max_size=3),
    st.booleans(),
    st.none() | st.frozensets(st.sampled_from(NAMES)),
)
def test_a_chunk_is_merged_as_if_its_records_came_one_by_one(chosen, owners, refuse_stale, shown):
    orders = [
        Order(record, record + 1, op, number, f"p{number}", "card", patch, extra, {})
        for record, (number, op, patch, extra, _) in enumerate(chosen, start=1)
    ]
    refused = {record: issue("K07", record=record, key="x") for record, (*_, out) in enumerate(chosen, start=1) if out}
    rows = {number: stored(number, owner) for number, owner in enumerate(owners, start=1)}
    around = Circumstances(
        project="loyalty",
        feed="members",
        seq=9,
        now=10_000_000,
        refuse_stale=refuse_stale,
        platforms={"card": Offer(frozenset("*") if shown is None else shown, frozenset("*"))},
    )
    outcome = merge_chunk(orders, rows, refused, around=around)
    assert sorted(outcome.verdicts) == [order.record for order in orders]
    rewritten = {number: row for *row, number in outcome.rewrites}
    assert len(rewritten) == len(outcome.rewrites)
    assert [number for number, *_ in outcome.content] == list(rewritten)
    owed = [(number, platform) for number, platform, *_ in outcome.owed()]
    assert outcome.seen == [stamp(rows[number]) for number in rewritten]
    for number, (document, status, apple, google, writer) in enumerate(owners, start=1):
        mine = [order for order in orders if order.pass_no == number and order.record not in refused]
        verdicts = [outcome.verdicts[order.record] for order in mine]
        if refuse_stale and writer > around.seq:
            assert {verdict.problem.code for verdict in verdicts} <= {"C01"}
            assert number not in rewritten
            continue
        every, kept = Model(document, status), Model(document, status)
        said = []
        for place, order in enumerate(mine):
            wins = fields(order) and not order.extra.get("messages")
            superseded = wins and any(fields(order) <= fields(later) for later in mine[place + 1 :])
            every.take(order)
            before = exact(kept.state)
            if not superseded:
                kept.take(order)
            said.append("superseded" if superseded else "applied" if exact(kept.state) != before else "unchanged")
        final = exact(every.state)
        assert exact(kept.state) == final, "a superseded record leaves no trace"
        changed = final != exact(Model(document, status).state)
        installed = bool(apple or google)
        for order, verdict, word in zip(mine, verdicts, said, strict=True):
            sent = installed and order.extra.get("messages")
            word = "unchanged" if word == "applied" and not changed else word  # noqa: PLW2901 - changed back
            assert verdict.status == ("applied" if sent else word)
            assert verdict.notification == ("queued" if sent else "none")
            pushes = {verdict.apple.value, verdict.google.value} - {"none", "not_installed", "not_shown"}
            assert not pushes or verdict.changed, "unchanged rows owe nothing"
            assert fair(verdict, shown, (number, "apple") in owed)
            assert verdict.revision == 5 + changed
        assert (number in rewritten) == changed
        differs = different(Model(document, status).state, every.state)
        assert owed.count((number, "google")) == bool(google and changed)
        assert owed.count((number, "apple")) == bool(apple and (changed if shown is None else differs & shown))
        if changed:
            status_now, revision, document_now, expires_at, writers, _ = rewritten[number]
            assert exact((orjson.loads(document_now), status_now, expires_at)) == final
            assert revision == 6
            assert orjson.loads(writers)["members"] == max(around.seq, writer)
    sends = [order.record for _, order in outcome.messages]
    assert len(sends) == len(set(sends))

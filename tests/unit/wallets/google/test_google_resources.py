"""PATCHes, as arithmetic: what we say of a resource makes the double's say the same, whatever it said before."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from flatfile_sync.wallets.google.resources import Memory, Thing, changes, difference, digest, paths, remembered
from tests.google_double.wallet import _merged

KEYS = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.one_of(st.integers(0, 3), st.text("xy", max_size=2), st.lists(st.integers(0, 2), max_size=2))
TREES = st.dictionaries(KEYS, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3)))


def plain(tree):
    """Return a tree without empty tables, which say nothing."""
    found = {key: plain(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in found.items() if value != {}}


@given(TREES, TREES, TREES)
def test_a_patch_after_an_earlier_one_of_ours_leaves_what_others_wrote(old, new, other):
    theirs = {**{f"other_{key}": value for key, value in other.items()}, **copy.deepcopy(old)}
    patched = _merged(theirs, changes(new, paths(old)))
    ours = plain({key: value for key, value in patched.items() if not key.startswith("other_")})
    assert ours == plain(new)
    assert {key: patched[f"other_{key}"] for key in other} == other


@given(TREES, TREES)
def test_a_difference_is_empty_exactly_when_there_is_none(ours, theirs):
    patch = difference(ours, theirs, paths(theirs))
    assert plain(_merged(theirs, patch)) == plain(ours)
    assert difference(ours, _merged(theirs, patch), paths(theirs)) == {}


def test_ids_are_never_patched_and_linked_objects_never_unlinked():
    ours = {"id": "1.a", "classId": "1.c", "state": "ACTIVE"}
    assert changes(ours, ["linkedObjectIds", "accountId"]) == {"state": "ACTIVE", "accountId": None}
    theirs = {"state": "ACTIVE", "linkedObjectIds": ["1.b", "1.d"]}
    assert difference({**ours, "linkedObjectIds": ["1.d"]}, theirs, []) == {}
    assert difference({**ours, "linkedObjectIds": ["1.e"]}, theirs, []) == {"linkedObjectIds": ["1.e"]}


def test_a_review_that_is_over_is_no_difference_but_goes_along_with_one():
    ours = {"issuerName": "New", "reviewStatus": "UNDER_REVIEW"}
    theirs = {"issuerName": "Old", "reviewStatus": "APPROVED"}
    assert difference(ours, theirs, []) == ours
    assert difference({**ours, "issuerName": "Old"}, theirs, []) == {}


def test_a_memory_is_read_as_it_was_written_and_rubbish_is_none():
    thing = Thing(kind="loyaltyObject", id="1.a", resource={"id": "1.a", "state": "ACTIVE", "x": {"y": 1}})
    memory = remembered(thing, {"hasUsers": True, "messages": [{}]}, run="r")
    assert Memory.read(memory.written()) == memory
    assert (memory.keys, memory.digest) == (("state", "x.y"), digest(thing.resource))
    assert Memory.read({"users": 1, "messages": "x"}) == Memory()
    assert memory.unsure(thing).digest == ""

import pytest

from flatfile_sync.domain.columns import Role
from flatfile_sync.domain.project import DataModel, Feed, Field, IdentifierKind, PassType, Project
from flatfile_sync.domain.states import Operation
from flatfile_sync.pipeline.header import check_header

PROJECT = Project(
    name="p",
    title="P",
    timezone="UTC",
    model=DataModel(
        fields=(
            Field(name="additionalData.points", target="additionalData.points", type="integer"),
            Field(name="additionalData.a.b", target="additionalData.a.b"),
            Field(name="metadata.source", target="metadata.source"),
        ),
        identifiers=(IdentifierKind(name="memberId"), IdentifierKind(name="y2.customerId")),
    ),
    pass_types=(PassType(name="card"),),
    feeds=(),
)
FEED = Feed(name="members", writable=("additionalData.*",), ignored=("internal",), echo="ref")


def judged(*names, feed=FEED):
    columns, issues = check_header(names, PROJECT, feed)
    return [column.role for column in columns], [(found.code, found.column) for found in issues]


def test_only_the_first_id_is_the_prefix():
    columns, issues = check_header(("id.y2.customerId", "additionalData.a.b"), PROJECT, FEED)
    assert (columns[0].part, issues) == ("y2.customerId", [])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("id", "additionalData.point"), [("H01", "additionalData.point")]),
        (("id", "metadata.source"), [("H02", "metadata.source")]),
        (("id", "status"), [("H02", "status")]),
        (("id", "id"), [("H03", "id")]),
        (("additionalData.points",), [("H04", None)]),
        (("id", ""), [("H06", None)]),
        (("id", "op"), [("H02", "op")]),
        (("id", "internal", "_note", "ref"), []),
    ],
)
def test_each_fault_of_a_header_has_its_code(names, expected):
    assert judged(*names)[1] == expected


@pytest.mark.parametrize("name", ["AdditionalData.Points", "additionalData.point", "additionalData. points"])
def test_a_near_miss_names_the_likely_column(name):
    _, [found] = check_header(("id", name), PROJECT, FEED)
    assert "`additionalData.points`" in found.hint


def test_a_required_column_must_be_there():
    feed = Feed(name="members", required=("additionalData.points",))
    assert judged("id", feed=feed)[1] == [("H05", "additionalData.points")]


def test_a_notify_feed_may_write_messages():
    feed = Feed(name="campaign", operation=Operation.NOTIFY, writable=())
    roles, issues = judged("id.memberId", "notification.message", "notification.message.fr", feed=feed)
    assert roles == [Role.IDENTIFIER, Role.MESSAGE, Role.MESSAGE]
    assert issues == []

"""Projects, drops and kits as tests need them: real store and spool, no processes."""

from datetime import timedelta

from flatfile_sync.domain.drop import Drop
from flatfile_sync.domain.project import (
    Cardinality,
    Constraints,
    DataModel,
    Feed,
    Field,
    Guards,
    IdentifierKind,
    PassType,
    Project,
)
from flatfile_sync.domain.states import DropState, Operation, Purpose
from flatfile_sync.pipeline.kit import Kit
from tests.doubles import START, FixedProjects, InlineCompute, RecordingEngine

TIERS = ("Bronze", "Silver", "Gold")


def field(name, kind="string", **more):
    return Field(name=name, target=name, type=kind, **more)


def loyalty(*feeds: Feed, **changes) -> Project:
    """A small loyalty project; feed `members` updates, `enrol` upserts, `campaign` notifies, `mixed` may do all."""
    model = DataModel(
        fields=(
            field("additionalData.points", "integer", constraints=Constraints(minimum=0)),
            field("additionalData.tier", constraints=Constraints(enum=TIERS)),
            field("additionalData.balance", "number"),
            field("additionalData.name", pii=True, constraints=Constraints(max_length=20)),
            field("additionalData.coupon", constraints=Constraints(unique=True)),
            field("metadata.source"),
        ),
        identifiers=(
            IdentifierKind(name="memberId"),
            IdentifierKind(name="crm.contactId"),
            IdentifierKind(name="email", cardinality=Cardinality.SHARED, person=True, pii=True),
        ),
    )
    relaxed = Guards(max_reject_percent=None, first_records=None)
    every = tuple(Operation)
    mixed_columns = ("additionalData.*", "metadata.*", "set.id.*", "status", "notification.*", "consent.*", "op")
    standard = (
        Feed(name="members", globs=("members*.csv",), guards=relaxed, null_tokens=("NULL",)),
        Feed(name="enrol", globs=("enrol*.csv",), guards=relaxed, operation=Operation.UPSERT, pass_type="card"),
        Feed(
            name="campaign",
            globs=("campaign*.csv",),
            operation=Operation.NOTIFY,
            purpose=Purpose.MARKETING,
            writable=("notification.*", "consent.*"),
            guards=relaxed,
        ),
        Feed(
            name="mixed",
            globs=("mixed*.csv",),
            pass_type="card",
            allowed_operations=every,
            writable=mixed_columns,
            guards=relaxed,
        ),
    )
    values = {
        "name": "loyalty",
        "title": "Loyalty",
        "timezone": "Europe/Paris",
        "model": model,
        "pass_types": (PassType(name="card"), PassType(name="gift")),
        "feeds": feeds or standard,
        "version": "v1",
    }
    return Project(**(values | changes))


def drop(**changes) -> Drop:
    values = {
        "id": "d0" * 16,
        "seq": 1,
        "account": "partner",
        "project": "loyalty",
        "feed": "members",
        "upload_id": "u0" * 16,
        "file_name": "members.csv",
        "result_name": "members.csv.20260801T040312Z-d0d0d0d0",
        "blob": "b0" * 16,
        "bytes": 0,
        "dry_run": False,
        "state": DropState.RECEIVED,
        "received_at": START,
    }
    return Drop(**(values | changes))


def kit(store, spool, *, clock, projects=None, **changes) -> Kit:
    values = {
        "store": store,
        "spool": spool,
        "compute": InlineCompute(),
        "projects": projects or FixedProjects({"loyalty": loyalty()}),
        "platforms": {},
        "engine": RecordingEngine(),
        "clock": clock,
        "chunk_records": 4,
    }
    return Kit(**(values | changes))


A_SECOND = timedelta(seconds=1)

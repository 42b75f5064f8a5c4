"""The first schema.

Revision ID: 0001
Revises: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Written out, not imported from `tables`: what a revision made must not change when the tables do.
_MOMENT = sa.BigInteger
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
        comment="epoch (raised at each start), close_seq, pass_no, tag (commit order of passes on SQLite)",
    )
    op.create_table(
        "project_versions",
        sa.Column("version", sa.Text, nullable=False, comment="sha256 of the canonical document"),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False, comment="the project as canonical JSON"),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_project_versions")),
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("feeds", sa.JSON, nullable=False, comment="names of the feeds it may use; empty = all"),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("disabled_at", _MOMENT),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
    )
    op.create_table(
        "account_keys",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False, comment="SHA256:… as OpenSSH prints it"),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, server_default="", nullable=False),
        sa.Column("added_at", _MOMENT, nullable=False),
        sa.Column("last_used_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["account"],
            ["accounts.name"],
        ),
        sa.PrimaryKeyConstraint("account", "fingerprint", name=op.f("pk_account_keys")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False, comment="inbox or dryrun"),
        sa.Column("feed", sa.Text, comment="the folder it was put in; None = the zone itself"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("blob", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("size", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("modified_at", _MOMENT, nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.Column("closed_at", _MOMENT),
        sa.Column("listed_until", _MOMENT, comment="ghost: a finished upload is still listed until then"),
        sa.Column("renamed", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("drop_id", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_account_zone_feed_name"), "uploads", ["account", "zone", "feed", "name"])
    op.create_index(op.f("ix_uploads_state_closed_at"), "uploads", ["state", "closed_at"])
    op.create_table(
        "drops",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, comment="close-commit sequence"),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("upload_id", sa.Text, nullable=False),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("result_name", sa.Text, nullable=False),
        sa.Column("blob", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("parent_id", sa.Text),
        sa.Column("forced", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("duplicate_of", sa.Text),
        sa.Column("project_version", sa.Text),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("stuck", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("due_at", _MOMENT),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("claimed_at", _MOMENT),
        sa.Column("planned_at", _MOMENT),
        sa.Column("applied_at", _MOMENT),
        sa.Column("reported_at", _MOMENT),
        sa.Column("settled_at", _MOMENT),
        sa.Column("horizon_at", _MOMENT),
        sa.Column("summary", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drops")),
        sa.UniqueConstraint("seq", name=op.f("uq_drops_seq")),
        sa.UniqueConstraint("result_name", name=op.f("uq_drops_result_name")),
    )
    op.create_index(op.f("ix_drops_project_feed_seq"), "drops", ["project", "feed", "seq"])
    op.create_index(op.f("ix_drops_state_due_at"), "drops", ["state", "due_at"])
    op.create_table(
        "chunks",
        sa.Column("drop_id", sa.Text, nullable=False),
        sa.Column("no", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("plan_file", sa.Text, nullable=False),
        sa.Column("verdict_file", sa.Text),
        sa.Column("verdict_sha256", sa.Text),
        sa.Column("applied_at", _MOMENT),
        sa.PrimaryKeyConstraint("drop_id", "no", name=op.f("pk_chunks")),
    )
    op.create_table(
        "feed_states",
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("last_drop_id", sa.Text, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("last_sha256", sa.Text, nullable=False, comment="content of the last applied drop"),
        sa.Column("last_applied_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project", "feed", name=op.f("pk_feed_states")),
    )
    op.create_table(
        "passes",
        sa.Column("no", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False, comment="our pass id, as partners see it"),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("pass_type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False, comment="one flat JSON object, see domain.merge"),
        sa.Column("expires_at", sa.Text),
        sa.Column("writers", sa.Text, nullable=False, comment="JSON: feed -> seq of its last drop that wrote the pass"),
        sa.Column("apple", sa.Integer, server_default="0", nullable=False, comment="devices registered"),
        sa.Column("google", sa.Integer, server_default="0", nullable=False, comment="1 = saved by somebody"),
        sa.Column("tag", sa.BigInteger, nullable=False, comment="commit order, see store.dialects"),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("modified_at", _MOMENT, nullable=False, comment="strictly rising whole seconds (Last-Modified)"),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_passes")),
        sa.UniqueConstraint("id", name=op.f("uq_passes_id")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "identifiers",
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column(
            "scope", sa.Text, nullable=False, comment="unique kind: the pass type; shared kind: the pass's own id"
        ),
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("project", "kind", "value", "scope", name=op.f("pk_identifiers")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_identifiers_pass_no"), "identifiers", ["pass_no"])
    op.create_table(
        "attempts",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("deliveries", sa.Integer, nullable=False, comment="how many shared the call"),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT),
        sa.Column("result", sa.Text, comment="ok, temporary, permanent; None = unknown"),
        sa.Column("detail", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("lane", sa.SmallInteger, nullable=False),
        sa.Column("drop_id", sa.Text),
        sa.Column("record", sa.Integer),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("attempts", sa.Integer, server_default="0", nullable=False),
        sa.Column("attempt_id", sa.BigInteger),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("settled_at", _MOMENT),
        sa.Column("text", sa.Text),
        sa.Column("purpose", sa.Text),
        sa.Column("expires_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_drop_id_pass_no"), "deliveries", ["drop_id", "pass_no"])
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["platform", "state", "lane", "due_at"],
        sqlite_where=sa.text("state <> 'settled'"),
        postgresql_where=sa.text("state <> 'settled'"),
    )
    op.create_index(
        "uq_deliveries_message",
        "deliveries",
        ["drop_id", "record", "platform"],
        unique=True,
        sqlite_where=sa.text("kind = 'message'"),
        postgresql_where=sa.text("kind = 'message'"),
    )
    op.create_index(
        "uq_deliveries_open_content",
        "deliveries",
        ["pass_no", "platform"],
        unique=True,
        sqlite_where=sa.text("kind = 'content' AND state <> 'settled'"),
        postgresql_where=sa.text("kind = 'content' AND state <> 'settled'"),
    )
    op.create_table(
        "consents",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("subject_kind", sa.Text, nullable=False, comment="the `person` identifier kind, or `pass`"),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("granted", sa.Boolean, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("proof", sa.Text),
        sa.Column("drop_id", sa.Text),
        sa.Column("record", sa.Integer),
        sa.Column("recorded_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        sa.UniqueConstraint("drop_id", "record", "purpose", name=op.f("uq_consents_drop_id_record_purpose")),
    )
    op.create_index(
        op.f("ix_consents_project_subject_kind_subject_purpose_at"),
        "consents",
        ["project", "subject_kind", "subject", "purpose", "at"],
    )
    op.create_table(
        "artefacts",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False, comment="outbox, archive or help"),
        sa.Column("feed", sa.Text, nullable=False, comment="empty = the zone itself"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("blob", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text),
        sa.Column("drop_id", sa.Text),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("account", "zone", "feed", "name", name=op.f("pk_artefacts")),
    )
    op.create_index(op.f("ix_artefacts_drop_id"), "artefacts", ["drop_id"])
    op.create_table(
        "audit",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False, comment="an account, or operator"),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False, comment="never a value of a pii field"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_event_at"), "audit", ["event", "at"])


def downgrade() -> None:
    """Remove the tables, those that refer to others first."""
    for table in (
        "audit",
        "artefacts",
        "consents",
        "deliveries",
        "attempts",
        "identifiers",
        "passes",
        "feed_states",
        "chunks",
        "drops",
        "uploads",
        "account_keys",
        "accounts",
        "project_versions",
        "counters",
    ):
        op.drop_table(table)

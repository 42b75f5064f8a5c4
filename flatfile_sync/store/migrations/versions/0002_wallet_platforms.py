"""Devices, what a platform remembers, carried messages, notices, pace, circuits, nonces and links.

Revision ID: 0002
Revises: 0001
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_MOMENT = sa.BigInteger


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "registrations",
        sa.Column(
            "device", sa.Text, nullable=False, comment="deviceLibraryIdentifier; knowing it is the device's secret"
        ),
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("push_token", sa.Text, nullable=False),
        sa.Column("registered_at", _MOMENT, nullable=False, comment="when this token was told, for a 410's timestamp"),
        sa.Column("held_until", _MOMENT, comment="Apple asked to leave this token alone until then"),
        sa.PrimaryKeyConstraint("device", "pass_no", name=op.f("pk_registrations")),
    )
    op.create_index(op.f("ix_registrations_pass_no"), "registrations", ["pass_no"])
    op.create_index(op.f("ix_registrations_push_token"), "registrations", ["push_token"])
    op.create_table(
        "platform_memories",
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column(
            "memory",
            sa.Text,
            nullable=False,
            comment="JSON that only the platform reads: content hash, message ids",
        ),
        sa.PrimaryKeyConstraint("pass_no", "platform", name=op.f("pk_platform_memories")),
    )
    op.create_table(
        "carried_messages",
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("delivery_id", sa.BigInteger, nullable=False, comment="the message that the Apple pass carries now"),
        sa.Column("number", sa.Integer, nullable=False, comment="rises, so that an equal text is still a change"),
        sa.Column("texts", sa.Text, nullable=False, comment="JSON: language -> text; empty key = the fallback"),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("pass_no", name=op.f("pk_carried_messages")),
    )
    op.create_table(
        "notices",
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False, comment="names the message, so that a repeat counts once"),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("pass_no", "platform", "key", name=op.f("pk_notices")),
    )
    op.create_table(
        "paces",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("free_at", _MOMENT, nullable=False, comment="theoretical arrival time of the next call (GCRA)"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_paces")),
    )
    op.create_table(
        "circuits",
        sa.Column("name", sa.Text, nullable=False, comment="a credential or topic"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_circuits")),
    )
    op.create_table(
        "nonces",
        sa.Column("nonce", sa.Text, nullable=False, comment="of a platform's callback: each counts once"),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_nonces")),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_pass_no"), "links", ["pass_no"])
    open_messages = sa.text("kind = 'message' AND state <> 'settled'")
    op.create_index(
        "ix_deliveries_open_messages",
        "deliveries",
        ["pass_no"],
        sqlite_where=open_messages,
        postgresql_where=open_messages,
    )


def downgrade() -> None:
    """Drop the tables, and the index."""
    op.drop_index("ix_deliveries_open_messages", "deliveries")
    for table in (
        "links",
        "nonces",
        "circuits",
        "paces",
        "notices",
        "carried_messages",
        "platform_memories",
        "registrations",
    ):
        op.drop_table(table)

"""Messages in several languages, fair lanes, wording of consents, erasures; keys that end, passwords, bans.

Revision ID: 0003
Revises: 0002
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_MOMENT = sa.BigInteger
_OPEN = "state <> 'settled'"
_ERASED = "erased_at IS NOT NULL"
_OPEN_MESSAGE = "kind = 'message' AND state <> 'settled'"


def upgrade() -> None:
    """Add what messages, consents, erasures and logins need."""
    sqlite = op.get_context().dialect.name == "sqlite"
    as_json = "json_object('', texts)" if sqlite else "json_build_object('', texts)::text"
    # Not by Alembic: on SQLite it would copy the whole table.
    op.execute("ALTER TABLE deliveries RENAME COLUMN text TO texts")
    op.execute(f"UPDATE deliveries SET texts = {as_json} WHERE texts IS NOT NULL")
    comment = "of a message, JSON: language -> text; empty key = of no language"
    if not sqlite:
        op.alter_column("deliveries", "texts", comment=comment)
    op.drop_index("ix_deliveries_open", "deliveries")
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["platform", "state", "lane", "project", "due_at"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index(
        "ix_deliveries_expiring",
        "deliveries",
        ["platform", "expires_at"],
        sqlite_where=sa.text(_OPEN_MESSAGE),
        postgresql_where=sa.text(_OPEN_MESSAGE),
    )
    op.add_column("consents", sa.Column("wording", sa.Text, comment="version of the text that was agreed to"))
    comment = "the person was erased; the proof is kept for a while"
    op.add_column("consents", sa.Column("erased_at", _MOMENT, comment=comment))
    op.create_index(
        "ix_consents_erased",
        "consents",
        ["project", "erased_at"],
        sqlite_where=sa.text(_ERASED),
        postgresql_where=sa.text(_ERASED),
    )
    # Nothing wrote it before this revision.
    op.drop_table("carried_messages")
    op.create_table(
        "carried_messages",
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, nullable=False, comment="names the message: its drop and record"),
        sa.Column("number", sa.Integer, nullable=False, comment="rises, so that an equal text is still a change"),
        sa.Column("texts", sa.Text, nullable=False, comment="JSON: language -> text; empty key = of no language"),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("pass_no", name=op.f("pk_carried_messages")),
    )
    op.create_table(
        "erasures",
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="an identifier kind, or `id`"),
        sa.Column("digest", sa.BigInteger, nullable=False, comment="of the value, see domain.tombstones"),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project", "kind", "digest", name=op.f("pk_erasures")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasure_salts",
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False, comment="random; no digest of another project compares"),
        sa.PrimaryKeyConstraint("project", name=op.f("pk_erasure_salts")),
    )
    comment = "networks it comes from; empty = any"
    op.add_column("accounts", sa.Column("addresses", sa.Text, nullable=False, server_default="", comment=comment))
    comment = "argon2id, with its parameters; None = keys only"
    op.add_column("accounts", sa.Column("password", sa.Text, comment=comment))
    op.add_column("accounts", sa.Column("last_login_at", _MOMENT))
    op.add_column("account_keys", sa.Column("expires_at", _MOMENT))
    comment = "networks it is good from; empty = any"
    op.add_column("account_keys", sa.Column("addresses", sa.Text, nullable=False, server_default="", comment=comment))
    op.create_table(
        "door_strikes",
        sa.Column("address", sa.Text, nullable=False, comment="an IPv4 address, or the /64 of one of IPv6"),
        sa.Column("strikes", sa.Integer, nullable=False),
        sa.Column("struck_at", _MOMENT, nullable=False),
        sa.Column("banned_until", _MOMENT),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_door_strikes")),
    )


def downgrade() -> None:
    """Take it back; of a message in several languages the text of no language stays."""
    sqlite = op.get_context().dialect.name == "sqlite"
    op.drop_table("door_strikes")
    for column in ("addresses", "expires_at"):
        op.drop_column("account_keys", column)
    for column in ("last_login_at", "password", "addresses"):
        op.drop_column("accounts", column)
    op.drop_table("erasure_salts")
    op.drop_table("erasures")
    op.drop_index("ix_consents_erased", "consents")
    op.drop_column("consents", "erased_at")
    op.drop_column("consents", "wording")
    op.drop_index("ix_deliveries_expiring", "deliveries")
    op.drop_index("ix_deliveries_open", "deliveries")
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["platform", "state", "lane", "due_at"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.execute("ALTER TABLE deliveries RENAME COLUMN texts TO text")
    as_text = """json_extract(text, '$.""')""" if sqlite else "text::json ->> ''"
    op.execute(f"UPDATE deliveries SET text = {as_text} WHERE text IS NOT NULL")
    op.drop_table("carried_messages")
    op.create_table(
        "carried_messages",
        sa.Column("pass_no", sa.BigInteger, nullable=False),
        sa.Column("delivery_id", sa.BigInteger, nullable=False, comment="the message that the Apple pass carries now"),
        sa.Column("number", sa.Integer, nullable=False, comment="rises, so that an equal text is still a change"),
        sa.Column("texts", sa.Text, nullable=False, comment="JSON: language -> text; empty key = the fallback"),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("pass_no", name=op.f("pk_carried_messages")),
    )

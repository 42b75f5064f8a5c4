"""The tables behind the wallet platforms: devices, what a platform remembers, pace, circuits, links, erasures."""

import sqlalchemy as sa

from flatfile_sync.store.tables import METADATA, Moment

registrations = sa.Table(
    "registrations",
    METADATA,
    sa.Column(
        "device", sa.Text, primary_key=True, comment="deviceLibraryIdentifier; knowing it is the device's secret"
    ),
    sa.Column("pass_no", sa.BigInteger, primary_key=True),
    sa.Column("push_token", sa.Text, nullable=False),
    sa.Column("registered_at", Moment, nullable=False, comment="when this token was told, for a 410's timestamp"),
    sa.Column("held_until", Moment, comment="Apple asked to leave this token alone until then"),
    sa.Index(None, "pass_no"),
    sa.Index(None, "push_token"),
)

platform_memories = sa.Table(
    "platform_memories",
    METADATA,
    sa.Column("pass_no", sa.BigInteger, primary_key=True),
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column(
        "memory", sa.Text, nullable=False, comment="JSON that only the platform reads: content hash, message ids"
    ),
)

carried_messages = sa.Table(
    "carried_messages",
    METADATA,
    sa.Column("pass_no", sa.BigInteger, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, comment="names the message: its drop and record"),
    sa.Column("number", sa.Integer, nullable=False, comment="rises, so that an equal text is still a change"),
    sa.Column("texts", sa.Text, nullable=False, comment="JSON: language -> text; empty key = of no language"),
    sa.Column("at", Moment, nullable=False),
)

notices = sa.Table(
    "notices",
    METADATA,
    sa.Column("pass_no", sa.BigInteger, primary_key=True),
    sa.Column("platform", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True, comment="names the message, so that a repeat counts once"),
    sa.Column("at", Moment, nullable=False),
)

paces = sa.Table(
    "paces",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("free_at", Moment, nullable=False, comment="theoretical arrival time of the next call (GCRA)"),
)

circuits = sa.Table(
    "circuits",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, comment="a credential or topic"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
)

nonces = sa.Table(
    "nonces",
    METADATA,
    sa.Column("nonce", sa.Text, primary_key=True, comment="of a platform's callback: each counts once"),
    sa.Column("seen_at", Moment, nullable=False),
)

links = sa.Table(
    "links",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("pass_no", sa.BigInteger, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("revoked_at", Moment),
    sa.Index(None, "pass_no"),
)

erasures = sa.Table(
    "erasures",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True, comment="an identifier kind, or `id`"),
    sa.Column("digest", sa.BigInteger, primary_key=True, comment="of the value, see domain.tombstones"),
    sa.Column("at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

erasure_salts = sa.Table(
    "erasure_salts",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("salt", sa.LargeBinary, nullable=False, comment="random; no digest of another project compares"),
)

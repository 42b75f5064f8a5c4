"""The tables. Migrations in `store/migrations` produce exactly these (a test compares them)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(sa.TypeDecorator[datetime]):
    """An aware UTC datetime as integer microseconds: the same on both databases, exact, cheap to bind in bulk."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return microseconds since 1970 in UTC."""
        return None if value is None else micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the aware datetime."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Words(sa.TypeDecorator[tuple[str, ...]]):
    """A few words without blanks, as text with blanks between them."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[str] | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the text."""
        return None if value is None else " ".join(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002
        """Return the words."""
        return None if value is None else tuple(value.split())


def micros(moment: datetime) -> int:
    """Return a moment as `Moment` stores it, for statements that bind tuples past the type system."""
    return (moment - _EPOCH) // _MICROSECOND


METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# A number that SQLite gives out itself must be INTEGER there; it is 64 bits wide on both.
_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")

counters = sa.Table(
    "counters",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    comment="epoch (raised at each start), close_seq, pass_no, tag (commit order of passes on SQLite)",
)

projects = sa.Table(
    "project_versions",
    METADATA,
    sa.Column("version", sa.Text, primary_key=True, comment="sha256 of the canonical document"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False, comment="the project as canonical JSON"),
    sa.Column("seen_at", Moment, nullable=False),
)

accounts = sa.Table(
    "accounts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("feeds", sa.JSON, nullable=False, comment="names of the feeds it may use; empty = all"),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("disabled_at", Moment),
    sa.Column("addresses", Words, nullable=False, server_default="", comment="networks it comes from; empty = any"),
    sa.Column("password", sa.Text, comment="argon2id, with its parameters; None = keys only"),
    sa.Column("last_login_at", Moment),
)

account_keys = sa.Table(
    "account_keys",
    METADATA,
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.name"), primary_key=True),
    sa.Column("fingerprint", sa.Text, primary_key=True, comment="SHA256:… as OpenSSH prints it"),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False, server_default=""),
    sa.Column("added_at", Moment, nullable=False),
    sa.Column("last_used_at", Moment),
    sa.Column("expires_at", Moment),
    sa.Column("addresses", Words, nullable=False, server_default="", comment="networks it is good from; empty = any"),
)

door_strikes = sa.Table(
    "door_strikes",
    METADATA,
    sa.Column("address", sa.Text, primary_key=True, comment="an IPv4 address, or the /64 of one of IPv6"),
    sa.Column("strikes", sa.Integer, nullable=False),
    sa.Column("struck_at", Moment, nullable=False),
    sa.Column("banned_until", Moment),
)

uploads = sa.Table(
    "uploads",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("zone", sa.Text, nullable=False, comment="inbox or dryrun"),
    sa.Column("feed", sa.Text, comment="the folder it was put in; None = the zone itself"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("blob", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sha256", sa.Text),
    sa.Column("modified_at", Moment, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("closed_at", Moment),
    sa.Column("listed_until", Moment, comment="ghost: a finished upload is still listed until then"),
    sa.Column("renamed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("drop_id", sa.Text),
    sa.Index(None, "account", "zone", "feed", "name"),
    sa.Index(None, "state", "closed_at"),
)

drops = sa.Table(
    "drops",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False, unique=True, comment="close-commit sequence"),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("upload_id", sa.Text, nullable=False),
    sa.Column("file_name", sa.Text, nullable=False),
    sa.Column("result_name", sa.Text, nullable=False, unique=True),
    sa.Column("blob", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text),
    sa.Column("dry_run", sa.Boolean, nullable=False),
    sa.Column("parent_id", sa.Text),
    sa.Column("forced", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("duplicate_of", sa.Text),
    sa.Column("project_version", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.Text),
    sa.Column("stuck", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("due_at", Moment),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("claimed_at", Moment),
    sa.Column("planned_at", Moment),
    sa.Column("applied_at", Moment),
    sa.Column("reported_at", Moment),
    sa.Column("settled_at", Moment),
    sa.Column("horizon_at", Moment),
    sa.Column("summary", sa.JSON, nullable=False),
    sa.Index(None, "state", "due_at"),
    sa.Index(None, "project", "feed", "seq"),
)

chunks = sa.Table(
    "chunks",
    METADATA,
    sa.Column("drop_id", sa.Text, primary_key=True),
    sa.Column("no", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("records", sa.Integer, nullable=False),
    sa.Column("plan_file", sa.Text, nullable=False),
    sa.Column("verdict_file", sa.Text),
    sa.Column("verdict_sha256", sa.Text),
    sa.Column("applied_at", Moment),
)

feed_states = sa.Table(
    "feed_states",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("last_drop_id", sa.Text, nullable=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_sha256", sa.Text, nullable=False, comment="content of the last applied drop"),
    sa.Column("last_applied_at", Moment, nullable=False),
)

passes = sa.Table(
    "passes",
    METADATA,
    sa.Column("no", _Number, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True, comment="our pass id, as partners see it"),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("pass_type", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("document", sa.Text, nullable=False, comment="one flat JSON object, see domain.merge"),
    sa.Column("expires_at", sa.Text),
    sa.Column("writers", sa.Text, nullable=False, comment="JSON: feed -> seq of its last drop that wrote the pass"),
    sa.Column("apple", sa.Integer, nullable=False, server_default="0", comment="devices registered"),
    sa.Column("google", sa.Integer, nullable=False, server_default="0", comment="1 = saved by somebody"),
    sa.Column("tag", sa.BigInteger, nullable=False, comment="commit order, see store.dialects"),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("modified_at", Moment, nullable=False, comment="strictly rising whole seconds (Last-Modified)"),
    # Room for heap-only updates: an hourly refresh rewrites every document in place.
    postgresql_with={"fillfactor": 70},
)

identifiers = sa.Table(
    "identifiers",
    METADATA,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True, comment="unique kind: the pass type; shared kind: the pass's own id"),
    sa.Column("pass_no", sa.BigInteger, nullable=False),
    sa.Index(None, "pass_no"),
    sqlite_with_rowid=False,
)

attempts = sa.Table(
    "attempts",
    METADATA,
    sa.Column("id", _Number, primary_key=True, autoincrement=True),
    sa.Column("platform", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("deliveries", sa.Integer, nullable=False, comment="how many shared the call"),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("result", sa.Text, comment="ok, temporary, permanent; None = unknown"),
    sa.Column("detail", sa.Text),
)

deliveries = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("id", _Number, primary_key=True, autoincrement=True),
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
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempt_id", sa.BigInteger),
    sa.Column("due_at", Moment, nullable=False),
    sa.Column("settled_at", Moment),
    sa.Column("texts", sa.Text, comment="of a message, JSON: language -> text; empty key = of no language"),
    sa.Column("purpose", sa.Text),
    sa.Column("expires_at", Moment),
    sa.Index(None, "drop_id", "pass_no"),
    # One open content delivery per pass and platform: the latest revision wins.
    sa.Index(
        "uq_deliveries_open_content",
        "pass_no",
        "platform",
        unique=True,
        sqlite_where=sa.text("kind = 'content' AND state <> 'settled'"),
        postgresql_where=sa.text("kind = 'content' AND state <> 'settled'"),
    ),
    # One message per (pass, drop, record, platform), sent once.
    sa.Index(
        "uq_deliveries_message",
        "drop_id",
        "record",
        "platform",
        unique=True,
        sqlite_where=sa.text("kind = 'message'"),
        postgresql_where=sa.text("kind = 'message'"),
    ),
    # The messages of a pass that are still to be fetched.
    sa.Index(
        "ix_deliveries_open_messages",
        "pass_no",
        sqlite_where=sa.text("kind = 'message' AND state <> 'settled'"),
        postgresql_where=sa.text("kind = 'message' AND state <> 'settled'"),
    ),
    # In the order of service: by lane, project by project, the oldest first.
    sa.Index(
        "ix_deliveries_open",
        "platform",
        "state",
        "lane",
        "project",
        "due_at",
        sqlite_where=sa.text("state <> 'settled'"),
        postgresql_where=sa.text("state <> 'settled'"),
    ),
    sa.Index(
        "ix_deliveries_expiring",
        "platform",
        "expires_at",
        sqlite_where=sa.text("kind = 'message' AND state <> 'settled'"),
        postgresql_where=sa.text("kind = 'message' AND state <> 'settled'"),
    ),
)

consents = sa.Table(
    "consents",
    METADATA,
    sa.Column("id", _Number, primary_key=True, autoincrement=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("subject_kind", sa.Text, nullable=False, comment="the `person` identifier kind, or `pass`"),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("granted", sa.Boolean, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("proof", sa.Text),
    sa.Column("wording", sa.Text, comment="version of the text that was agreed to"),
    sa.Column("drop_id", sa.Text),
    sa.Column("record", sa.Integer),
    sa.Column("recorded_at", Moment, nullable=False),
    sa.Column("erased_at", Moment, comment="the person was erased; the proof is kept for a while"),
    sa.Index(None, "project", "subject_kind", "subject", "purpose", "at"),
    sa.Index(
        "ix_consents_erased",
        "project",
        "erased_at",
        sqlite_where=sa.text("erased_at IS NOT NULL"),
        postgresql_where=sa.text("erased_at IS NOT NULL"),
    ),
    sa.UniqueConstraint("drop_id", "record", "purpose"),
)

artefacts = sa.Table(
    "artefacts",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("zone", sa.Text, primary_key=True, comment="outbox, archive or help"),
    sa.Column("feed", sa.Text, primary_key=True, comment="empty = the zone itself"),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("blob", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text),
    sa.Column("drop_id", sa.Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.Index(None, "drop_id"),
)

audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("id", _Number, primary_key=True, autoincrement=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", sa.Text, nullable=False, comment="an account, or operator"),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False, comment="never a value of a pii field"),
    sa.Index(None, "event", "at"),
)

"""The store's own tables. Alembic keeps a database equal to this metadata."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

events = Table(
    "events",
    metadata,
    # No sequence: append_events numbers positions without holes, so a hole would be proof of loss.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Uuid, nullable=False),
    Column("stream", Text(collation="C"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", Text(collation="C"), nullable=False),
    Column("schema_version", SmallInteger, nullable=False),
    Column("customer_id", Text(collation="C")),
    Column("data", JSONB, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("event_id"),
    UniqueConstraint("stream", "version"),
    CheckConstraint("position >= 1", name="position"),
    CheckConstraint("version >= 1", name="version"),
    Index(None, "customer_id", "position"),
)

clock = Table(
    "clock",
    metadata,
    Column("offset_by", Interval, nullable=False, server_default=text("'0'::interval")),
    Column("one_row", Boolean, primary_key=True, server_default=text("true")),
    CheckConstraint("one_row", name="one_row"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("consumer", Text(collation="C"), primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False),
    Column("last_error", Text),
    Column("shards", SmallInteger, nullable=False, server_default=text("1"), comment="of them all"),
    Column(
        "deaths",
        SmallInteger,
        nullable=False,
        server_default=text("0"),
        comment="of processes that began here and did not get on",
    ),
)

# Keys whose events a consumer has left out from a position on, for the first of them failed.
parked_keys = Table(
    "parked_keys",
    metadata,
    Column("consumer", Text(collation="C"), primary_key=True),
    Column("key", Text(collation="C"), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("parked_at", DateTime(timezone=True), nullable=False),
)

# Events that a consumer was told to leave out for good, for its past to leave them out as well.
skipped_events = Table(
    "skipped_events",
    metadata,
    Column("consumer", Text(collation="C"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
)

# The one place where an identity's value leaves a trace, as a digest under the store's secret: a
# row can be erased, an event cannot. `anonymous_id` is where an anonymous visitor's entries stand.
identities = Table(
    "identities",
    metadata,
    Column("identity_id", Uuid, primary_key=True),
    Column("kind", Text(collation="C"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("anonymous_id", Text(collation="C")),
    UniqueConstraint("kind", "digest"),
)

# Events that did not fit the schema of their type, as they were sent, by the order of receipt.
quarantine = Table(
    "quarantine",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False, unique=True),
    Column("type", Text(collation="C"), nullable=False),
    Column("customer_id", Text(collation="C"), nullable=False),
    Column("data", JSONB, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("occurred_at", DateTime(timezone=True), comment="null: none was sent"),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("reasons", JSONB, nullable=False),
    Index(None, "type", "number"),
    Index(None, "customer_id"),
)

# One key a customer, wrapped under the master key of an epoch. A key that was destroyed leaves its
# row, so that nobody makes another one.
data_keys = Table(
    "data_keys",
    metadata,
    Column("customer_id", Text(collation="C"), primary_key=True),
    Column("epoch", Text(collation="C"), nullable=False),
    Column("wrapped", LargeBinary),
    Column("destroyed_at", DateTime(timezone=True)),
    CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="destroyed"),
    Index(None, "epoch", "customer_id"),
    Index(None, "destroyed_at"),
)

# The epoch whose master key wraps new data keys.
key_epoch = Table(
    "key_epoch",
    metadata,
    Column("epoch", Text(collation="C"), nullable=False),
    Column("one_row", Boolean, primary_key=True, server_default=text("true")),
    CheckConstraint("one_row", name="one_row"),
)

# Whose events are refused from now on, customers and visitors (`~…`): they were erased.
tombstones = Table(
    "tombstones",
    metadata,
    Column("customer_id", Text(collation="C"), primary_key=True),
    Column("erased_at", DateTime(timezone=True), nullable=False),
)

# When each API key was last used, to some seconds: too often changed to be an event.
api_key_uses = Table(
    "api_key_uses",
    metadata,
    Column("key_id", Text(collation="C"), primary_key=True),
    Column("used_at", DateTime(timezone=True), nullable=False),
)

# How much each process that serves the API is asked for by whom, a second: lost by a crash, said
# again a second later.
limit_demands = Table(
    "limit_demands",
    metadata,
    Column("process_id", Uuid, primary_key=True),
    Column("demands", JSONB, nullable=False),
    Column("said_at", DateTime(timezone=True), nullable=False),
    prefixes=["UNLOGGED"],
)

# Commands for later, a row each until it is fired. Times are the store's (`clock_now()`).
timers = Table(
    "timers",
    metadata,
    Column("key", Text(collation="C"), primary_key=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column(
        "next_try_at",
        DateTime(timezone=True),
        nullable=False,
        comment="later than due where firing it has failed",
    ),
    Column("category", Text(collation="C"), nullable=False),
    Column("thing_id", Text(collation="C"), nullable=False),
    Column("customer_id", Text(collation="C")),
    Column("command", JSONB, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("set_by", Uuid, nullable=False, comment="the event that set it, or moved it last"),
    Column("set_at", DateTime(timezone=True), nullable=False),
    Column("error", Text),
    Index(None, "next_try_at", "key"),
)

# What the courier has to see to: a row each message that waits, is being sent, or was given up.
deliveries = Table(
    "deliveries",
    metadata,
    Column("message_id", Text(collation="C"), primary_key=True),
    Column("customer_id", Text(collation="C"), nullable=False),
    Column("state", Text(collation="C"), nullable=False),
    Column("channel", Text(collation="C"), nullable=False),
    Column("kind", Text(collation="C"), nullable=False),
    Column("priority", SmallInteger, nullable=False, comment="0: first"),
    Column("attempts", Integer, nullable=False),
    Column(
        "next_try_at",
        DateTime(timezone=True),
        nullable=False,
        comment="while it is waiting",
    ),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("error", Text),
    Index(
        "deliveries_due_idx",
        "channel",
        "priority",
        "next_try_at",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("deliveries_state_idx", "state", "message_id"),
    Index(None, "customer_id"),
)

# What the rules keep of each customer (`customer/<id>`), and of all together (`totals`); see
# `app.engagement.state`.
engagement_states = Table(
    "engagement_states",
    metadata,
    Column("key", Text(collation="C"), primary_key=True),
    Column("state", JSONB, nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column(
        "held",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'::text[]"),
        comment="the paused rules that hold back what fell due",
    ),
    Index(
        "engagement_states_due_idx",
        "due_at",
        "key",
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "engagement_states_held_idx",
        "held",
        postgresql_using="gin",
        postgresql_where=text("held <> '{}'::text[]"),
    ),
)

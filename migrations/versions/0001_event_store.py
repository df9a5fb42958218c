"""The event store: log, clock, checkpoints, identities, generations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "projection_pointers",
    "projection_generations",
    "identities",
    "checkpoints",
    "clock",
    "events",
)
FUNCTIONS = (
    "append_group(jsonb, bigint, boolean, bigint, integer[], text)",
    "append_events(jsonb, bigint, boolean)",
    "stream_version(text)",
    "clock_now()",
    "log_channel()",
    "log_lock_key()",
    "refuse_change()",
)


def _text(name: str, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """Make the store's tables, and guard the log."""
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger, autoincrement=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        _text("stream", nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _text("type", nullable=False),
        sa.Column("schema_version", sa.SmallInteger, nullable=False),
        _text("customer_id"),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("metadata", JSONB, nullable=False),
        _time("occurred_at"),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint("position", name="events_pkey"),
        sa.UniqueConstraint("event_id", name="events_event_id_key"),
        sa.UniqueConstraint("stream", "version", name="events_stream_version_key"),
        sa.CheckConstraint("position >= 1", name=op.f("events_position_check")),
        sa.CheckConstraint("version >= 1", name=op.f("events_version_check")),
    )
    op.create_index("events_customer_id_position_idx", "events", ["customer_id", "position"])
    _guard_the_log()
    op.create_table(
        "clock",
        sa.Column(
            "offset_by", sa.Interval, nullable=False, server_default=sa.text("'0'::interval")
        ),
        sa.Column("one_row", sa.Boolean, server_default=sa.text("true")),
        sa.PrimaryKeyConstraint("one_row", name="clock_pkey"),
        sa.CheckConstraint("one_row", name=op.f("clock_one_row_check")),
    )
    op.execute("INSERT INTO clock DEFAULT VALUES")
    op.create_table(
        "checkpoints",
        _text("consumer"),
        sa.Column("shard", sa.SmallInteger, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        _time("moved_at"),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("consumer", "shard", name="checkpoints_pkey"),
    )
    op.create_table(
        "identities",
        sa.Column("identity_id", sa.Uuid),
        _text("kind", nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        _text("anonymous_id"),
        sa.PrimaryKeyConstraint("identity_id", name="identities_pkey"),
        sa.UniqueConstraint("kind", "digest", name="identities_kind_digest_key"),
    )
    op.create_table(
        "projection_generations",
        _text("name"),
        sa.Column("generation", sa.Integer, autoincrement=False),
        sa.Column("definition_version", sa.Integer, nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False, comment="building, ready"),
        _time("made_at"),
        sa.PrimaryKeyConstraint("name", "generation", name="projection_generations_pkey"),
    )
    op.create_table(
        "projection_pointers",
        _text("name"),
        sa.Column("definition_version", sa.Integer, autoincrement=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", "definition_version", name="projection_pointers_pkey"),
    )


def _guard_the_log() -> None:
    """Take the privilege to change the log from its owner too, and raise where that is no bar.

    A server that has no triggers (a sharded one) keeps the privileges alone.
    """
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON events FROM PUBLIC, CURRENT_USER")
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON events"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON events"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Take everything away, the log included, and what the read models made."""
    generation_tables = (
        op.get_bind()
        .execute(
            sa.text(
                "SELECT tablename FROM pg_tables"
                r" WHERE schemaname = current_schema() AND tablename ~ '_g\d+$'"
            )
        )
        .scalars()
    )
    for table in (*generation_tables, *TABLES):
        op.drop_table(table)
    for function in FUNCTIONS:
        op.execute(f"DROP ROUTINE {function}")

"""Shards of a consumer's work, keys that are parked, and what a rebuild was asked and says."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every consumer has had one shard so far."""
    op.add_column(
        "checkpoints",
        sa.Column(
            "shards",
            sa.SmallInteger,
            nullable=False,
            server_default=sa.text("1"),
            comment="of them all",
        ),
    )
    op.add_column(
        "checkpoints",
        sa.Column(
            "deaths",
            sa.SmallInteger,
            nullable=False,
            server_default=sa.text("0"),
            comment="of processes that began here and did not get on",
        ),
    )
    op.create_table(
        "parked_keys",
        sa.Column("consumer", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "key", name="parked_keys_pkey"),
    )
    op.create_table(
        "skipped_events",
        sa.Column("consumer", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("consumer", "position", name="skipped_events_pkey"),
    )
    op.add_column(
        "projection_generations",
        sa.Column(
            "phase", sa.Text(collation="C"), comment="what a rebuild is at, or was when it died"
        ),
    )
    for option in ("accept_differences", "drop_old"):
        op.add_column(
            "projection_generations",
            sa.Column(option, sa.Boolean, nullable=False, server_default=sa.false()),
        )
    op.add_column(
        "projection_generations", sa.Column("throttle", sa.Double, comment="events a second")
    )
    _comment_states("building, ready, differing, scratch", instead_of="building, ready")


def downgrade() -> None:
    """Consumers of several shards begin again where the last of them stands.

    Read models that have parked keys lack those keys' events: they are to be rebuilt.
    """
    op.execute(
        "DELETE FROM checkpoints AS one USING checkpoints AS other"
        " WHERE one.consumer = other.consumer AND one.shard > other.shard"
    )
    _comment_states("building, ready", instead_of="building, ready, differing, scratch")
    for column in ("throttle", "drop_old", "accept_differences", "phase"):
        op.drop_column("projection_generations", column)
    op.drop_table("skipped_events")
    op.drop_table("parked_keys")
    op.drop_column("checkpoints", "deaths")
    op.drop_column("checkpoints", "shards")
    op.execute("DROP FUNCTION shard_of(text, integer)")
    op.execute("DROP FUNCTION position_at(timestamptz)")


def _comment_states(states: str, *, instead_of: str) -> None:
    op.alter_column(
        "projection_generations",
        "state",
        existing_type=sa.Text(collation="C"),
        existing_nullable=False,
        existing_comment=instead_of,
        comment=states,
    )

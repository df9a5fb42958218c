"""Shards of a consumer's work, keys that are parked, and what a rebuild says of itself."""

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


def downgrade() -> None:
    """Consumers of several shards begin again where the last of them stands.

    Read models that have parked keys lack those keys' events: they are to be rebuilt.
    """
    op.execute(
        "DELETE FROM checkpoints AS one USING checkpoints AS other"
        " WHERE one.consumer = other.consumer AND one.shard > other.shard"
    )
    op.drop_table("parked_keys")
    op.drop_column("checkpoints", "deaths")
    op.drop_column("checkpoints", "shards")
    op.execute("DROP FUNCTION shard_of(text, integer)")
    op.execute("DROP FUNCTION position_at(timestamptz)")

"""Timers: what reactions do later."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None is set yet."""
    op.create_table(
        "timers",
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "next_try_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="later than due where firing it has failed",
        ),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("thing_id", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.Text(collation="C")),
        sa.Column("command", JSONB(), nullable=False),
        sa.Column("metadata", JSONB(), nullable=False),
        sa.Column(
            "set_by",
            sa.Uuid(),
            nullable=False,
            comment="the event that set it, or moved it last",
        ),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("key", name="timers_pkey"),
    )
    op.create_index("timers_next_try_at_key_idx", "timers", ["next_try_at", "key"])


def downgrade() -> None:
    """What was to be done later is not done."""
    op.execute("DROP PROCEDURE commit_reactions")
    op.execute("DROP FUNCTION record_reactions")
    op.drop_table("timers")

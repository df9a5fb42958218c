"""What the rules keep of each customer, and of all together."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is kept yet: rules begin where the log ends."""
    op.create_table(
        "engagement_states",
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("state", JSONB(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column(
            "held",
            ARRAY(sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'::text[]"),
            comment="the paused rules that hold back what fell due",
        ),
        sa.PrimaryKeyConstraint("key", name="engagement_states_pkey"),
    )
    op.create_index(
        "engagement_states_due_idx",
        "engagement_states",
        ["due_at", "key"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "engagement_states_held_idx",
        "engagement_states",
        ["held"],
        postgresql_using="gin",
        postgresql_where=sa.text("held <> '{}'::text[]"),
    )


def downgrade() -> None:
    """What runs is forgotten."""
    for table in ("checkpoints", "parked_keys", "skipped_events"):
        op.execute(f"DELETE FROM {table} WHERE consumer = 'engagement'")
    op.execute("DROP PROCEDURE commit_engagement")
    op.execute("DROP FUNCTION record_engagement")
    op.drop_table("engagement_states")

"""Deliveries: the messages that a courier has to see to, or nobody any more."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The courier fills it from the log's beginning."""
    op.create_table(
        "deliveries",
        sa.Column("message_id", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("state", sa.Text(collation="C"), nullable=False),
        sa.Column("channel", sa.Text(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False, comment="0: first"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column(
            "next_try_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="while it is waiting",
        ),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("message_id", name="deliveries_pkey"),
    )
    op.create_index(
        "deliveries_due_idx",
        "deliveries",
        ["channel", "priority", "next_try_at"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("deliveries_state_idx", "deliveries", ["state", "message_id"])
    op.create_index("deliveries_customer_id_idx", "deliveries", ["customer_id"])


def downgrade() -> None:
    """What waits is found again in the log."""
    op.execute("DELETE FROM checkpoints WHERE consumer = 'courier'")
    op.execute("DELETE FROM parked_keys WHERE consumer = 'courier'")
    op.execute("DELETE FROM skipped_events WHERE consumer = 'courier'")
    op.drop_table("deliveries")

"""What the gateway keeps beside the log; API keys themselves are events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None was used yet."""
    op.create_table(
        "api_key_uses",
        sa.Column("key_id", sa.Text(collation="C"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="api_key_uses_pkey"),
    )
    op.create_table(
        "limit_demands",
        sa.Column("process_id", sa.Uuid(), nullable=False),
        sa.Column("demands", JSONB(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("process_id", name="limit_demands_pkey"),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "quarantine",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("customer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("metadata", JSONB, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), comment="null: none was sent"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reasons", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("number", name="quarantine_pkey"),
        sa.UniqueConstraint("event_id", name="quarantine_event_id_key"),
    )
    op.create_index("quarantine_type_number_idx", "quarantine", ["type", "number"])
    op.create_index("quarantine_customer_id_idx", "quarantine", ["customer_id"])


def downgrade() -> None:
    """Forget when keys were used, what is asked for at the moment, and what is quarantined."""
    op.drop_table("quarantine")
    op.drop_table("limit_demands")
    op.drop_table("api_key_uses")

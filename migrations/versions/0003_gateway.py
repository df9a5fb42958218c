"""What the gateway keeps beside the log; API keys themselves are events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """None was used yet, and nobody erased."""
    op.create_table(
        "api_key_uses",
        sa.Column("key_id", sa.Text(collation="C"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="api_key_uses_pkey"),
    )
    op.create_table(
        "tombstones",
        sa.Column("customer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="tombstones_pkey"),
    )


def downgrade() -> None:
    """Forget when they were used, and who was erased."""
    op.execute("DROP FUNCTION erase_customer(jsonb, text[], uuid[])")
    op.drop_table("tombstones")
    op.drop_table("api_key_uses")

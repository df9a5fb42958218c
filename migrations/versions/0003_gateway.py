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


def downgrade() -> None:
    """Forget when they were used."""
    op.drop_table("limit_demands")
    op.drop_table("api_key_uses")

"""What the gateway keeps beside the log; API keys themselves are events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No API key was used yet, nobody has a data key, and nobody was erased."""
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
    _make_data_keys()
    op.create_table(
        "tombstones",
        sa.Column("customer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name="tombstones_pkey"),
    )


def _make_data_keys() -> None:
    op.create_table(
        "data_keys",
        sa.Column("customer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("epoch", sa.Text(collation="C"), nullable=False),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("destroyed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("customer_id", name="data_keys_pkey"),
        sa.CheckConstraint(
            "(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name=op.f("data_keys_destroyed_check")
        ),
    )
    op.create_index("data_keys_epoch_customer_id_idx", "data_keys", ["epoch", "customer_id"])
    op.create_index("data_keys_destroyed_at_idx", "data_keys", ["destroyed_at"])
    op.create_table(
        "key_epoch",
        sa.Column("epoch", sa.Text(collation="C"), nullable=False),
        sa.Column("one_row", sa.Boolean, server_default=sa.text("true")),
        sa.PrimaryKeyConstraint("one_row", name="key_epoch_pkey"),
        sa.CheckConstraint("one_row", name=op.f("key_epoch_one_row_check")),
    )


def downgrade() -> None:
    """Forget what is quarantined, who was erased, and every data key: what is sealed is lost."""
    op.execute("DROP FUNCTION erase_customer(jsonb, text[], uuid[])")
    op.execute("DROP FUNCTION quarantine_lock_key()")
    op.drop_table("tombstones")
    op.drop_table("key_epoch")
    op.drop_table("data_keys")
    for function in ("redact_events(jsonb)", "only_sealed(jsonb, jsonb)"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("quarantine")
    op.drop_table("limit_demands")
    op.drop_table("api_key_uses")

"""The table of the audit: a row an act."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class AuditTables:
    """The tables of one generation."""

    audit: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> AuditTables:
    """Declare them: what acts are found by, and where the events stand. Their data is not copied.

    Times never run against positions, so an order by position is one by time.
    """
    audit = sa.Table(
        f"audit{suffix}",
        metadata,
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("actor", sa.Text(collation="C"), comment="null: nobody said who"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index(None, "recorded_at", "position"),
        sa.Index(None, "type", "recorded_at", "position"),
        sa.Index(None, "actor", "recorded_at", "position"),
    )
    return AuditTables(audit)

"""The table of decisions: a row each, which says where its event stands."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class DecisionsTables:
    """The tables of one generation."""

    decisions: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> DecisionsTables:
    """Declare them. What was decided is in the log; it is not copied."""
    decisions = sa.Table(
        f"decisions{suffix}",
        metadata,
        _text("customer_id"),
        sa.Column("position", sa.BigInteger, nullable=False),
        _text("rule"),
        _text("outcome"),
        # Not a primary key, so that a rebuild makes it after the load.
        sa.Index(None, "customer_id", "position", unique=True),
    )
    return DecisionsTables(decisions)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False)

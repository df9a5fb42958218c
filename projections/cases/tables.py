"""The table of cases: a row for each that is open."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class CasesTables:
    """The tables of one generation."""

    cases: sa.Table
    erased: sa.Table
    """Customers, whose cases nobody can resolve, even if they are opened later."""


def make_tables(metadata: sa.MetaData, suffix: str) -> CasesTables:
    """Declare them. A row is reached by the events of one customer alone."""
    cases = sa.Table(
        f"cases{suffix}",
        metadata,
        sa.Column("case_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("customer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False, comment="of case.opened"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index(None, "position"),
        sa.Index(None, "customer_id"),
    )
    erased = sa.Table(
        f"cases_erased{suffix}",
        metadata,
        sa.Column("customer_id", sa.Text(collation="C"), primary_key=True),
    )
    return CasesTables(cases, erased)

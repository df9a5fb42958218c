"""The table of visits."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class VisitsTables:
    """The tables of one generation."""

    visits: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> VisitsTables:
    """Declare them.

    No two visits of a customer begin at one time, for more than `SILENCE` lies between them. The
    key is the only index: it is what both the next batch and queries look for visits by.
    """
    visits = sa.Table(
        f"visits{suffix}",
        metadata,
        sa.Column("customer_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("started_at", sa.DateTime(timezone=True), primary_key=True),
        sa.Column("first_position", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_position", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        _type("entry", comment="the type of the first event"),
        _type("exit", comment="the type of the last event"),
    )
    return VisitsTables(visits)


def _type(name: str, *, comment: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=False, comment=comment)

"""The table of offers: a row for each driver who may claim a ride at the moment."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True)
class OffersTables:
    """The tables of one generation."""

    offers: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> OffersTables:
    """Declare them. A row is reached by the events of one rider alone."""
    offers = sa.Table(
        f"offers{suffix}",
        metadata,
        _text("driver_id", primary_key=True),
        _text("ride_id", primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False, comment="of ride.offered"),
        _text("customer_id"),
        sa.Column("data", JSONB, nullable=False, comment="of ride.offered, without who is asked"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index(None, "driver_id", "position"),
        sa.Index(None, "customer_id"),
    )
    return OffersTables(offers)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=primary_key, nullable=False)

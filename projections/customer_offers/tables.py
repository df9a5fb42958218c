"""The table of offers to customers: a row an offer."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True)
class CustomerOfferTables:
    """The tables of one generation."""

    customer_offers: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> CustomerOfferTables:
    """Declare them. An offer is found by its id when it is over, and listed by its position."""
    customer_offers = sa.Table(
        f"customer_offers{suffix}",
        metadata,
        sa.Column("customer_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("offer_id", sa.Text(collation="C"), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False, comment="of its issue"),
        sa.Column("data", JSONB, nullable=False, comment="of its issue; the code is sealed"),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text, nullable=False, comment="issued, or how it ended"),
        sa.Column("ended_at", sa.DateTime(timezone=True), comment="null: it may be redeemed"),
        sa.Index(None, "customer_id", "position"),
    )
    return CustomerOfferTables(customer_offers)

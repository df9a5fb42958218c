"""The customers' tables: profiles, and what belongs to one as rows of their own."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True)
class CustomersTables:
    """The tables of one generation."""

    customers: sa.Table
    traits: sa.Table
    consents: sa.Table
    identities: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> CustomersTables:
    """Declare them. Who has any event has a profile, visitors (``~…``) too."""
    customers = sa.Table(
        f"customers{suffix}",
        metadata,
        _text("customer_id", primary_key=True),
        sa.Column("stream_version", sa.Integer, nullable=False, comment="of customer-<id>, or 0"),
        _time("registered_at", nullable=True),
        _time("first_seen", nullable=True),
        _time("last_seen", nullable=True),
        sa.Column("events", sa.BigInteger, nullable=False, comment="senders' events only"),
        _time("erased_at", nullable=True),
        # Each event of a customer rewrites this row: room for the new one on the same page.
        postgresql_with={"fillfactor": 70},
    )
    traits = sa.Table(
        f"customers_traits{suffix}",
        metadata,
        _text("customer_id", primary_key=True),
        _text("name", primary_key=True),
        sa.Column("value", JSONB, nullable=False),
        sa.Column(
            "search",
            sa.Text(collation="C"),
            comment="the beginning of the value, a to z in lower case; null: no scalar",
        ),
        sa.Index(None, "name", "search", "customer_id"),
    )
    consents = sa.Table(
        f"customers_consents{suffix}",
        metadata,
        _text("customer_id", primary_key=True),
        _text("channel", primary_key=True),
        _text("topic", primary_key=True),
        sa.Column("granted", sa.Boolean, nullable=False),
        _time("changed_at"),
    )
    identities = sa.Table(
        f"customers_identities{suffix}",
        metadata,
        _text("customer_id", primary_key=True),
        sa.Column("identity_id", sa.Uuid, primary_key=True),
        _text("kind"),
        _time("linked_at"),
        sa.Index(None, "identity_id"),
    )
    return CustomersTables(customers, traits, consents, identities)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=primary_key, nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)

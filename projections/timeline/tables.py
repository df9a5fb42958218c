"""The timeline's tables: an entry an event, and the visitors that customers turned out to be."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True)
class TimelineTables:
    """The tables of one generation."""

    timeline: sa.Table
    links: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> TimelineTables:
    """Declare them.

    An entry stands under the id that its event was recorded under, whoever that turns out to be:
    linking and unlinking change a row of `timeline_links` and nothing else.
    """
    timeline = sa.Table(
        f"timeline{suffix}",
        metadata,
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        _text("stream"),
        sa.Column("version", sa.Integer, nullable=False),
        _text("type"),
        _text("kind"),
        sa.Column("schema_version", sa.SmallInteger, nullable=False),
        _text("customer_id"),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("metadata", JSONB, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        # Not a primary key, so that a rebuild makes it after the load. It is the only index.
        sa.Index(None, "customer_id", "occurred_at", "position", unique=True),
    )
    links = sa.Table(
        f"timeline_links{suffix}",
        metadata,
        _text("customer_id", primary_key=True),
        sa.Column("identity_id", sa.Uuid, primary_key=True),
    )
    return TimelineTables(timeline, links)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=primary_key, nullable=False)

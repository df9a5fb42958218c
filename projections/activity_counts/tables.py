"""The table of activity counts: a row for each day, type and kind of which there was an event."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class ActivityCountsTables:
    """The tables of one generation."""

    activity_counts: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> ActivityCountsTables:
    """Declare them. All customers' events meet in these rows, so their work has one shard."""
    activity_counts = sa.Table(
        f"activity_counts{suffix}",
        metadata,
        sa.Column("day", sa.Date, primary_key=True, comment="in UTC, of when it happened"),
        _text("type"),
        _text("kind"),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Index(None, "type", "day", "kind"),
        # Each batch rewrites the rows of today: room for the new ones on the same page.
        postgresql_with={"fillfactor": 70},
    )
    return ActivityCountsTables(activity_counts)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=True)

"""The tables of engagement: counts by rule, version and day; and the messages that are counted."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class EngagementTables:
    """The tables of one generation."""

    engagement: sa.Table
    messages: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> EngagementTables:
    """Declare them. All customers' events meet in the counts, so their work has one shard."""
    engagement = sa.Table(
        f"engagement{suffix}",
        metadata,
        _text("rule", primary_key=True),
        sa.Column("rule_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Date, primary_key=True, comment="in UTC, of the decision"),
        _text("measure", primary_key=True),
        _text("detail", primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        # Each batch rewrites the rows of today: room for the new ones on the same page.
        postgresql_with={"fillfactor": 70},
    )
    messages = sa.Table(
        f"engagement_messages{suffix}",
        metadata,
        _text("message_id", primary_key=True),
        _text("rule"),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("stages", sa.Integer, nullable=False, comment="that are counted, as bits"),
    )
    return EngagementTables(engagement, messages)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=primary_key, nullable=False)

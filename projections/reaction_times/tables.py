"""The tables of reaction times: a histogram by day and rule; and the messages that it waits for."""

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class ReactionTimesTables:
    """The tables of one generation."""

    reaction_times: sa.Table
    waiting: sa.Table


def make_tables(metadata: sa.MetaData, suffix: str) -> ReactionTimesTables:
    """Declare them. All customers' events meet in the counts, so their work has one shard."""
    reaction_times = sa.Table(
        f"reaction_times{suffix}",
        metadata,
        sa.Column("day", sa.Date, primary_key=True, comment="in UTC, of the decision"),
        _text("rule", primary_key=True),
        _text("stage", primary_key=True),
        sa.Column("bucket", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        # Each batch rewrites the rows of today: room for the new ones on the same page.
        postgresql_with={"fillfactor": 70},
    )
    waiting = sa.Table(
        f"reaction_times_waiting{suffix}",
        metadata,
        _text("message_id", primary_key=True),
        _text("rule"),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
    )
    return ReactionTimesTables(reaction_times, waiting)


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), primary_key=primary_key, nullable=False)

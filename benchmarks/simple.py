"""The simplest read model: a row an event. What `benchmarks.eventsourcing_runner` makes, too."""

from dataclasses import dataclass

import sqlalchemy as sa

from app.eventstore.batch import ShardKey
from projections.projection import Projection


@dataclass(frozen=True)
class EntriesTables:
    """The table of one generation."""

    entries: sa.Table


def _make_tables(metadata: sa.MetaData, suffix: str) -> EntriesTables:
    return EntriesTables(
        sa.Table(
            f"entries{suffix}",
            metadata,
            sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("customer_id", sa.Text, nullable=False),
            sa.Column("type", sa.Text, nullable=False),
        )
    )


def _apply() -> str:
    return """
        INSERT INTO {entries} (position, customer_id, type)
        SELECT position, customer_id, type FROM batch WHERE customer_id IS NOT NULL;
    """


ENTRIES: Projection[EntriesTables] = Projection(
    name="entries",
    version=1,
    shard_key=ShardKey.CUSTOMER,
    make_tables=_make_tables,
    apply=_apply,
)

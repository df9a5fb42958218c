"""Engagement: how often each version of a rule began and did something, and with what success."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.engagement.tables import EngagementTables, make_tables
from projections.projection import Projection, apply_sql

ENGAGEMENT: Projection[EngagementTables] = Projection(
    name="engagement",
    version=1,
    shard_key=ShardKey.NONE,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

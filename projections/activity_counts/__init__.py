"""Activity counts: how many events there were by day, type and kind, for charts."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.activity_counts.tables import ActivityCountsTables, make_tables
from projections.projection import Projection, apply_sql

ACTIVITY_COUNTS: Projection[ActivityCountsTables] = Projection(
    name="activity_counts",
    version=1,
    shard_key=ShardKey.NONE,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

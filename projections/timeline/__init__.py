"""The timeline: everything that happened to a customer, in the order in which it happened."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.projection import Projection, apply_sql
from projections.timeline.tables import TimelineTables, make_tables

TIMELINE: Projection[TimelineTables] = Projection(
    name="timeline",
    version=1,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

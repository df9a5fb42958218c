"""Decisions: where those on each customer stand, by rule and outcome."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.decisions.tables import DecisionsTables, make_tables
from projections.projection import Projection, apply_sql

DECISIONS: Projection[DecisionsTables] = Projection(
    name="decisions",
    version=1,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

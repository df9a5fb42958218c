"""Cases: what waits for an analyst."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.cases.tables import CasesTables, make_tables
from projections.projection import Projection, apply_sql

CASES: Projection[CasesTables] = Projection(
    name="cases",
    version=1,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

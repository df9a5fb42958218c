"""Customers as they are now: traits, consents, identities, and when they were seen."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.customers.tables import CustomersTables, make_tables
from projections.projection import Projection, apply_sql

CUSTOMERS: Projection[CustomersTables] = Projection(
    name="customers",
    version=2,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

"""The offers to customers, and what became of them."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.customer_offers.tables import CustomerOfferTables, make_tables
from projections.projection import Projection, apply_sql

CUSTOMER_OFFERS: Projection[CustomerOfferTables] = Projection(
    name="customer_offers",
    version=1,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

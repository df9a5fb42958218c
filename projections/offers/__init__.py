"""Offers: which rides are open to which drivers."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.offers.tables import OffersTables, make_tables
from projections.projection import Projection, apply_sql

OFFERS: Projection[OffersTables] = Projection(
    name="offers",
    version=1,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

"""Visits: what a customer did, cut where nothing was heard for half an hour."""

from app.eventstore.batch import ShardKey
from projections.projection import Projection
from projections.visits.apply import apply_batch
from projections.visits.tables import VisitsTables, make_tables

VISITS: Projection[VisitsTables] = Projection(
    name="visits",
    version=1,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    handler=apply_batch,
)

"""The inbox: the messages to a customer, and which of them were read."""

from functools import partial

from app.eventstore.batch import ShardKey
from projections.inbox.tables import InboxTables, make_tables
from projections.projection import Projection, apply_sql

INBOX: Projection[InboxTables] = Projection(
    name="inbox",
    version=2,
    shard_key=ShardKey.CUSTOMER,
    make_tables=make_tables,
    apply=partial(apply_sql, __name__),
)

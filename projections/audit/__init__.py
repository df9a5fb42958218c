"""The audit: what those who run the store did, as the events that are administrative."""

from app.catalogue import CATALOGUE
from app.eventstore.batch import ShardKey
from projections.audit.tables import AuditTables, make_tables
from projections.projection import Projection, apply_sql


def _apply() -> str:
    """The text, with the types that are administrative."""
    types = ", ".join(f"'{tag}'" for tag in CATALOGUE.administrative)
    return apply_sql(__name__).replace(":administrative", types)


AUDIT: Projection[AuditTables] = Projection(
    name="audit",
    version=1,
    shard_key=ShardKey.NONE,
    make_tables=make_tables,
    apply=_apply,
)

"""Every projection there is, one line each."""

from typing import Any

from app.kernel.errors import NotFound
from projections.activity_counts import ACTIVITY_COUNTS
from projections.audit import AUDIT
from projections.cases import CASES
from projections.customer_offers import CUSTOMER_OFFERS
from projections.customers import CUSTOMERS
from projections.decisions import DECISIONS
from projections.engagement import ENGAGEMENT
from projections.inbox import INBOX
from projections.offers import OFFERS
from projections.projection import Projection
from projections.reaction_times import REACTION_TIMES
from projections.timeline import TIMELINE
from projections.visits import VISITS

PROJECTIONS: tuple[Projection[Any], ...] = (
    TIMELINE,
    CUSTOMERS,
    ACTIVITY_COUNTS,
    VISITS,
    INBOX,
    OFFERS,
    CASES,
    CUSTOMER_OFFERS,
    DECISIONS,
    ENGAGEMENT,
    REACTION_TIMES,
    AUDIT,
)


def projection_named(name: str) -> Projection[Any]:
    """The projection with this name, or `NotFound`."""
    for projection in PROJECTIONS:
        if projection.name == name:
            return projection
    raise NotFound(f"there is no projection {name!r}")

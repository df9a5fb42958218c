"""The queries of read models, put together."""

from litestar.handlers import HTTPRouteHandler

from app.bootstrap.opened import Opened
from app.catalogue import CATALOGUE, UPCASTERS
from app.eventstore.broadcast import Broadcast
from app.kernel.sensitive import Names
from app.modules.customers.identities import Identities
from app.security.ciphers.disclosure import Disclosure
from projections.activity_counts.queries import ActivityCounts
from projections.activity_counts.routes import activity_count_routes
from projections.audit.queries import Audit
from projections.audit.routes import audit_routes
from projections.cases.queries import Cases
from projections.cases.routes import case_routes
from projections.customer_offers.queries import CustomerOffers
from projections.customer_offers.routes import customer_offer_routes
from projections.customers.queries import Customers
from projections.customers.routes import customer_query_routes
from projections.decisions.queries import Decisions
from projections.decisions.routes import decision_routes
from projections.diff.queries import Diffs
from projections.diff.routes import diff_routes
from projections.engagement.queries import Engagements
from projections.engagement.routes import engagement_routes
from projections.inbox.live import LiveInboxes, live_inbox_routes
from projections.inbox.queries import Inboxes
from projections.inbox.routes import inbox_routes
from projections.live import LiveLog
from projections.offers.live import LiveOffers, drivers_of, live_offer_routes
from projections.offers.queries import Offers
from projections.offers.routes import offer_routes
from projections.reaction_times.queries import ReactionTimesQuery
from projections.reaction_times.routes import reaction_time_routes
from projections.timeline.live import LiveTimelines, live_timeline_routes
from projections.timeline.queries import Timelines
from projections.timeline.routes import timeline_routes
from projections.visits.queries import Visits
from projections.visits.routes import visit_routes


def query_routes(of: Opened, disclosure: Disclosure, sensitive: Names) -> list[HTTPRouteHandler]:
    """What read models answer."""
    models, identities = of.reading.models, Identities(of.store.pool, of.secret)
    customers = Customers(models)
    timelines = Timelines(models, CATALOGUE, UPCASTERS, of.event_types)
    newest = Timelines(of.reading.primary, CATALOGUE, UPCASTERS, of.event_types)
    log = LiveLog(of.store, Broadcast(of.store))
    live_offers = LiveOffers(of.store, Broadcast(of.store, drivers_of))
    return [
        *customer_query_routes(customers, identities, of.past, disclosure, sensitive),
        *timeline_routes(timelines, of.past, disclosure),
        *diff_routes(Diffs(of.past, customers, timelines), disclosure),
        *live_timeline_routes(LiveTimelines(newest, log), of.closing, disclosure),
        *visit_routes(Visits(models)),
        *inbox_routes(Inboxes(models), disclosure),
        *live_inbox_routes(LiveInboxes(log), of.closing, disclosure),
        *activity_count_routes(ActivityCounts(models)),
        *decision_routes(Decisions(models, UPCASTERS), disclosure),
        *engagement_routes(Engagements(models)),
        *reaction_time_routes(ReactionTimesQuery(models)),
        *audit_routes(Audit(models, CATALOGUE, UPCASTERS)),
        *offer_routes(Offers(models, of.clock), disclosure),
        *customer_offer_routes(CustomerOffers(models), disclosure),
        *live_offer_routes(live_offers, of.closing, disclosure),
        *case_routes(Cases(models)),
    ]

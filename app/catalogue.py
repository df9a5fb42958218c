"""What the log may hold: the built-in modules' event types, and how old payloads become today's."""

from collections.abc import Sequence

from app.engagement import events as engagement_events
from app.eventstore.codec import Codec
from app.eventstore.upcasting import Upcaster
from app.kernel.event import EventCatalogue
from app.modules.accounts import events as account_events
from app.modules.carts import events as cart_events
from app.modules.customers import events as customer_events
from app.modules.event_types import events as event_type_events
from app.modules.interactions import events as interaction_events
from app.modules.inventory import events as inventory_events
from app.modules.messages import events as message_events
from app.modules.offers import events as offer_events
from app.modules.operations import events as operation_events
from app.modules.orders import events as order_events
from app.modules.payments import events as payment_events
from app.modules.playback import events as playback_events
from app.modules.rides import events as ride_events
from app.modules.support import events as support_events
from app.modules.suppressions import events as suppression_events
from app.modules.templates import events as template_events
from app.reactions import events as reaction_events
from app.reactions.fulfilment import events as fulfilment_events
from app.security import events as security_events

CATALOGUE = EventCatalogue(
    [
        *account_events.REGISTERED,
        *cart_events.REGISTERED,
        *customer_events.REGISTERED,
        *operation_events.REGISTERED,
        *event_type_events.REGISTERED,
        *interaction_events.REGISTERED,
        *message_events.REGISTERED,
        *offer_events.REGISTERED,
        *suppression_events.REGISTERED,
        *template_events.REGISTERED,
        *reaction_events.REGISTERED,
        *ride_events.REGISTERED,
        *support_events.REGISTERED,
        *playback_events.REGISTERED,
        *order_events.REGISTERED,
        *payment_events.REGISTERED,
        *inventory_events.REGISTERED,
        *fulfilment_events.REGISTERED,
        *security_events.REGISTERED,
        *engagement_events.REGISTERED,
    ]
)
CODEC = Codec(CATALOGUE)
UPCASTERS: Sequence[Upcaster] = ()

"""The business modules: their routes, one line each."""

from functools import partial

from litestar.handlers import HTTPRouteHandler

from app.catalogue import CODEC
from app.eventstore.port import EventStore
from app.kernel.clock import Clock
from app.modules.accounts.routes import account_routes
from app.modules.carts.routes import cart_routes
from app.modules.customers.identities import IdentityIndex
from app.modules.inventory.routes import inventory_routes
from app.modules.messages.routes import message_routes
from app.modules.offers.codes import code_of
from app.modules.offers.routes import offer_routes
from app.modules.orders.routes import order_routes
from app.modules.payments.routes import payment_routes
from app.modules.playback.routes import playback_routes
from app.modules.rides.routes import ride_routes
from app.modules.support.routes import support_routes
from app.modules.suppressions.routes import suppression_routes
from app.modules.templates.routes import template_routes
from app.modules.templates.saved import Templates
from app.security.commands import Commands


def module_routes(
    commands: Commands, clock: Clock, store: EventStore, identities: IdentityIndex, secret: bytes
) -> list[HTTPRouteHandler]:
    """The commands of every module. The clock tells the store's time; the secret is the store's."""
    return [
        *message_routes(commands, store),
        *offer_routes(commands, clock, code_of(secret)),
        *suppression_routes(commands),
        *template_routes(commands, Templates(store, CODEC)),
        *cart_routes(commands, partial(identities.find_or_create, "anonymous")),
        *playback_routes(commands, clock),
        *ride_routes(commands, clock),
        *support_routes(commands, clock),
        *account_routes(commands),
        *order_routes(commands),
        *payment_routes(commands),
        *inventory_routes(commands),
    ]

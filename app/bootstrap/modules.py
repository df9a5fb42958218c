"""The business modules: their routes, one line each."""

from functools import partial

from litestar.handlers import HTTPRouteHandler

from app.kernel.clock import Clock
from app.modules.carts.routes import cart_routes
from app.modules.customers.identities import IdentityIndex
from app.modules.playback.routes import playback_routes
from app.security.commands import Commands


def module_routes(
    commands: Commands, clock: Clock, identities: IdentityIndex
) -> list[HTTPRouteHandler]:
    """The commands of every module. The clock tells the store's time."""
    return [
        *cart_routes(commands, partial(identities.find_or_create, "anonymous")),
        *playback_routes(commands, clock),
    ]

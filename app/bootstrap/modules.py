"""The business modules: their routes, one line each."""

from litestar.handlers import HTTPRouteHandler

from app.kernel.clock import Clock
from app.modules.inventory.routes import inventory_routes
from app.modules.orders.routes import order_routes
from app.modules.payments.routes import payment_routes
from app.security.commands import Commands


def module_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:  # noqa: ARG001 - the first module uses them
    """The commands of every module. The clock tells the store's time."""
    return [
        *order_routes(commands),
        *payment_routes(commands),
        *inventory_routes(commands),
    ]

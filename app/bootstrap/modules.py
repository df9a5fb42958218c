"""The business modules: their routes, one line each."""

from litestar.handlers import HTTPRouteHandler

from app.kernel.clock import Clock
from app.modules.rides.routes import ride_routes
from app.security.commands import Commands


def module_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    """The commands of every module. The clock tells the store's time."""
    return [
        *ride_routes(commands, clock),
    ]

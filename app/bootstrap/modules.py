"""The business modules: their routes, one line each."""

from litestar.handlers import HTTPRouteHandler

from app.kernel.clock import Clock
from app.modules.support.routes import support_routes
from app.security.commands import Commands


def module_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:
    """The commands of every module. The clock tells the store's time."""
    return [
        *support_routes(commands, clock),
    ]

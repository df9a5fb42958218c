"""The business modules: their routes, one line each."""

from litestar.handlers import HTTPRouteHandler

from app.kernel.clock import Clock
from app.modules.accounts.routes import account_routes
from app.security.commands import Commands


def module_routes(commands: Commands, clock: Clock) -> list[HTTPRouteHandler]:  # noqa: ARG001 - no module needs the time yet
    """The commands of every module. The clock tells the store's time."""
    return [
        *account_routes(commands),
    ]

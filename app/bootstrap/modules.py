"""The business modules: their routes, one line each."""

from litestar.handlers import HTTPRouteHandler

from app.eventstore.port import EventStore
from app.kernel.clock import Clock
from app.modules.messages.routes import message_routes
from app.security.commands import Commands


def module_routes(
    commands: Commands,
    clock: Clock,  # noqa: ARG001 - the first module that asks for the time uses it
    store: EventStore,
) -> list[HTTPRouteHandler]:
    """The commands of every module. The clock tells the store's time."""
    return [
        *message_routes(commands, store),
    ]

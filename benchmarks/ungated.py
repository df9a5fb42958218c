"""The routes that record, wired without the gateway: what keys, limits and sealing are measured
beside.

    python -m benchmarks.ungated FD

serves them on a listening socket that is inherited, as a worker of ``tidings serve`` does, on the
store that the environment names. Everybody is let in, nobody is limited, nothing is sealed. It is
put together here from the product's parts; the product itself cannot be told to be so.
"""

import asyncio
import socket
import sys

import uvloop

from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.cli.serve import collect_garbage_seldom, server_config
from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.http.app import create_app
from app.http.asgi import AnyScope, App
from app.http.metrics import Metrics
from app.http.server import Server
from app.kernel.clock import system_clock
from app.kernel.principal import EVERYTHING, Principal
from app.modules.customers.identities import Identities
from app.modules.customers.routes import customer_routes
from app.modules.interactions.incoming import Intake
from app.modules.interactions.quarantine import StoredQuarantine
from app.modules.interactions.routes import EventsEndpoint, Outlet, event_routes
from app.secret import read_secret
from app.security.commands import Commands
from app.settings import Settings, read_settings

_ANYBODY = Principal("benchmarks", "key:none", frozenset({EVERYTHING}))


class _NoGate:
    """Lets everybody in, without a look."""

    def believed(self, _scope: AnyScope) -> Principal:
        return _ANYBODY

    async def admit(self, _scope: AnyScope) -> Principal:
        return _ANYBODY


def _app(settings: Settings, store: PostgresEventStore) -> App:
    secret = read_secret(settings)
    intake = Intake(catalogue=CATALOGUE, secret=secret, clock=system_clock)
    outlet = Outlet(store.appender.submit_one, lambda append: lambda: append)
    events = EventsEndpoint(store, intake, StoredQuarantine(store.pool), outlet=outlet)
    commands = Commands(Executor(store, CODEC), secret)
    return create_app(
        [*event_routes(events), *customer_routes(commands, Identities(store.pool, secret))],
        version="0",
        metrics=Metrics(),
        gate=_NoGate(),
        direct_routes={("POST", "/v1/events"): events},
    )


async def _serve(settings: Settings, listening: socket.socket) -> None:
    assert settings.database_url
    database = Database(settings.database_url, settings.schema)
    async with opened_store(
        database, poll_interval=settings.poll_interval, upcasters=UPCASTERS
    ) as store:
        app = _app(settings, store)
        collect_garbage_seldom()
        await Server(server_config(app), closing=asyncio.Event()).serve(sockets=[listening])


if __name__ == "__main__":
    uvloop.run(_serve(read_settings(), socket.socket(fileno=int(sys.argv[1]))))

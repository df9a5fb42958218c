"""``tidings serve``."""

import asyncio
import gc
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import rich_click as click
import uvicorn
import uvloop

from app.bootstrap.api import opened_api
from app.cli.children import worker_specs
from app.cli.options import EDGE, LOGS, OPENID, SEALING, STORE, settings_of, settings_options
from app.eventstore.database import Database
from app.http.asgi import App
from app.http.protocol import Protocol
from app.http.server import Server
from app.logs import configure_logs
from app.running import running_database
from app.settings import Settings
from app.supervisor import Supervisor, listen

GRACE_S = 5
KEEP_ALIVE_S = 75
"""Longer than clients keep an idle connection: one that the server closes while a request is on its
way loses that request, and the client cannot tell whether it was carried out.
"""
MAX_OPEN_FILES = 65_536
"""A connection is one; the usual limit of 1,024 is lower than what a process serves."""
GARBAGE_OBJECTS = 20_000
"""By how many objects a process has to grow before garbage is looked for."""


@click.command
@settings_options(
    *STORE,
    "read_database_url",
    "secret",
    *SEALING,
    "environment",
    *OPENID,
    "host",
    "port",
    *EDGE,
    "workers",
    "receipts_secret",
    *LOGS,
    "poll_interval_ms",
    "min_position_timeout_ms",
)
@click.option("--fd", type=int, hidden=True, help="An inherited socket that listens already.")
def command(fd: int | None, **options: Any) -> None:
    """Serve the API, alone or with several worker processes.

    The projector is a process of its own, on this machine or another: `tidings projector`.
    """
    settings = settings_of(options)
    configure_logs(settings, "api")
    with running_database(settings, migrated=True) as database:
        if fd is None and settings.workers > 1:
            sys.exit(_serve_with_workers(settings, database))
        listening = socket.socket(fileno=fd) if fd else listen(settings.host, settings.port, 1)[0]
        uvloop.run(_serve(settings, database, listening))


async def _serve(settings: Settings, database: Database, listening: socket.socket) -> None:
    closing = asyncio.Event()
    async with opened_api(settings, database, closing) as app:
        collect_garbage_seldom()
        _allow_connections()
        await Server(server_config(app), closing=closing).serve(sockets=[listening])


def collect_garbage_seldom() -> None:
    """Leave what lives as long as the process out of collections, and hold fewer of them.

    Requests leave next to no cycles behind; looking for them took a fifth of a command's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


def _allow_connections() -> None:
    """Raise the limit of open files as far as we may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if most == resource.RLIM_INFINITY else min(most, MAX_OPEN_FILES)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def server_config(
    app: App, http: type[asyncio.Protocol] | Literal["httptools"] = Protocol
) -> uvicorn.Config:
    """How an application is served; benchmarks serve what they compare with in the same way, by
    uvicorn's own protocol.
    """
    return uvicorn.Config(
        app,
        http=http,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def _serve_with_workers(settings: Settings, database: Database) -> int:
    sockets = listen(settings.host, settings.port, settings.workers)
    with TemporaryDirectory(prefix="tidings-metrics-") as metrics:
        workers = worker_specs(settings, database, sockets, Path(metrics))
        return asyncio.run(Supervisor([workers]).run())

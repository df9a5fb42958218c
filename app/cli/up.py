"""``tidings up``."""

import asyncio
import shutil
import signal
import socket
import sys
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import psycopg
import rich_click as click
from rich.console import Console

from app.bootstrap.channels import check_channels
from app.bootstrap.keys import opened_keys
from app.bootstrap.projections import PROJECTION_NAMES
from app.cli.acting import acting
from app.cli.children import OURS, child_environment, worker_specs
from app.cli.options import (
    CHANNELS,
    EDGE,
    LOGS,
    OPENID,
    SEALING,
    STORE,
    settings_of,
    settings_options,
)
from app.embedded import Cluster, own_cluster
from app.eventstore.database import Database, check_server_of
from app.kernel.principal import EVERYTHING
from app.logs import configure_logs
from app.master_key import read_master_keys
from app.migrate import upgrade
from app.running import database_of
from app.secret import read_secret
from app.settings import Settings
from app.supervisor import ChildSpec, Supervisor, listen

PROBE_TIMEOUT_S = 2.0
FIRST_KEY_NAME = "default"


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
    "shards",
    *CHANNELS,
    "receipts_secret",
    *LOGS,
    "poll_interval_ms",
    "min_position_timeout_ms",
)
def command(**options: Any) -> None:
    """Run everything: PostgreSQL (unless given), migrations, API, projector, reactor and courier.

    What dies is started again. Ctrl-C or SIGTERM stops all of it in order, within 10 seconds.
    """
    settings = settings_of(options)
    configure_logs(settings, "up")
    with ExitStack() as stack:
        tiers: list[list[ChildSpec]] = []
        if settings.database_url is None:
            cluster = stack.enter_context(own_cluster(settings.data_dir))
            database = database_of(settings, cluster.dsn)
            tiers.append([_postgres(cluster, database)])
        else:
            database = database_of(settings, settings.database_url)
            check_server_of(database)
            upgrade(database)
        read_secret(settings)  # made once, before several processes want it
        read_master_keys(settings)
        check_channels(settings)
        sockets = listen(settings.host, settings.port, settings.workers)
        metrics = Path(stack.enter_context(TemporaryDirectory(prefix="tidings-metrics-")))
        url = _url(sockets[0])
        tiers.append(
            [
                _projector(settings, database, metrics),
                _child("reactor", settings, database, metrics),
                _child("courier", settings, database, metrics),
            ]
        )
        workers = worker_specs(settings, database, sockets, metrics)
        tiers.append([replace(worker, is_ready=lambda: _is_serving(url)) for worker in workers])
        run = Supervisor(tiers).run(lambda: _greet(settings, database, url))
        sys.exit(asyncio.run(run))


def _postgres(cluster: Cluster, database: Database) -> ChildSpec:
    migrated: list[bool] = []

    def is_ready() -> bool:
        """Serving means: migrated too. Whatever needs the store starts after this."""
        if not cluster.is_accepting():
            return False
        if not migrated:
            upgrade(database)
            migrated.append(True)
        return True

    return ChildSpec(
        name="postgres",
        argv=cluster.command,
        output=cluster.log,
        stop_signal=signal.SIGINT,
        kill_signal=signal.SIGQUIT,
        before_start=cluster.make_way,
        is_ready=is_ready,
    )


def _projector(settings: Settings, database: Database, metrics: Path) -> ChildSpec:
    return ChildSpec(
        name="projector",
        argv=[*OURS, "projector"],
        env=child_environment(settings, database, metrics),
        is_ready=lambda: _has_read_models(database),
    )


def _child(command: str, settings: Settings, database: Database, metrics: Path) -> ChildSpec:
    return ChildSpec(
        name=command,
        argv=[*OURS, command],
        env=child_environment(settings, database, metrics),
    )


def _has_read_models(database: Database) -> bool:
    """Whether queries can be answered, be it from an older generation."""
    try:
        with psycopg.connect(database.conninfo()) as connection:
            rows = connection.execute("SELECT DISTINCT name FROM projection_pointers").fetchall()
    except psycopg.OperationalError:  # away at the moment: the projector did not die alone
        return False
    return {name for (name,) in rows} >= set(PROJECTION_NAMES)


def _is_serving(url: str) -> bool:
    """Whether the API answers; connections queue until it does, so it is given time.

    It has reached its store then. A replica that is away keeps nobody from recording.
    """
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _greet(settings: Settings, database: Database, url: str) -> None:
    key = await _first_key(settings, database)
    text = GREETING.format(url=url)
    if key:
        text = FIRST_KEY.format(key=key) + text + OFFER.format(program=_program(), url=url)
    Console(highlight=False, soft_wrap=True).print(text, markup=True)


async def _first_key(settings: Settings, database: Database) -> str | None:
    """A key that may do everything, on an embedded store that has none yet."""
    if settings.database_url is not None:
        return None
    async with opened_keys(settings, database) as keys:
        if await keys.all():
            return None
        return (await keys.create(FIRST_KEY_NAME, [EVERYTHING], None, acting("up"))).key


def _program() -> str:
    """How this program is called from here."""
    called = Path(sys.argv[0])
    if shutil.which(called.name) == str(called):
        return called.name
    here = Path.cwd()
    return str(called.relative_to(here) if called.is_relative_to(here) else called)


GREETING = """
[bold]Tidings is up[/] at [bold]{url}[/], documented at {url}/docs

Record an event:
  curl -u "$TIDINGS_API_KEY:" {url}/v1/events -H 'Content-Type: application/json' \\
    -d '{{"type": "Product Added", "customer_id": "ann", "data": {{"sku": "A-7"}}}}'
Read the customer's timeline:
  curl -u "$TIDINGS_API_KEY:" {url}/v1/customers/ann/timeline
"""
FIRST_KEY = """
The store's first API key, which may do everything and is shown this once:
  export TIDINGS_API_KEY={key}
"""
OFFER = """
The store is empty. For a crowd of customers to look at:
  {program} simulate --url {url}
"""

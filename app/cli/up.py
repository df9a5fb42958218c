"""``tidings up``."""

import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import rich_click as click
from rich.console import Console

from app.bootstrap import database_of
from app.cli.options import LOGS, STORE, settings_of, settings_options
from app.cli.serve import OURS, child_environment, worker_specs
from app.embedded import Cluster, own_cluster
from app.eventstore.database import Database
from app.logs import configure_logs
from app.migrate import upgrade
from app.secret import read_secret
from app.settings import Settings
from app.supervisor import ChildSpec, Supervisor, listen


@click.command
@settings_options(
    *STORE,
    "secret",
    "host",
    "port",
    "workers",
    *LOGS,
    "poll_interval_ms",
    "min_position_timeout_ms",
)
def command(**options: Any) -> None:
    """Run everything: PostgreSQL (unless one is given), migrations, API and projector.

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
            upgrade(database)
        read_secret(settings)  # made once, before several processes want it
        sockets = listen(settings.host, settings.port, settings.workers)
        metrics = Path(stack.enter_context(TemporaryDirectory(prefix="tidings-metrics-")))
        tiers.append([_projector(settings, database, metrics)])
        tiers.append(worker_specs(settings, database, sockets, metrics))
        run = Supervisor(tiers).run(lambda: _greet(settings, database, sockets))
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
    )


def _greet(settings: Settings, database: Database, sockets: Sequence[socket.socket]) -> None:
    host, port = sockets[0].getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with psycopg.connect(database.conninfo()) as connection:
        row = connection.execute("SELECT EXISTS (SELECT FROM events)").fetchone()
    text = GREETING.format(url=url)
    if settings.database_url is None and row == (False,):
        text += OFFER.format(url=url)
    Console(highlight=False, soft_wrap=True).print(text, markup=True)


GREETING = """
[bold]Tidings is up[/] at [bold]{url}[/], documented at {url}/docs

Record an event:
  curl {url}/v1/events -H 'Content-Type: application/json' \\
    -d '{{"type": "Product Added", "customer_id": "ann", "data": {{"sku": "A-7"}}}}'
Read the customer's timeline:
  curl {url}/v1/customers/ann/timeline
"""
OFFER = """
The store is empty. For a crowd of customers to look at:
  tidings simulate --url {url}
"""

"""How a process starts others of ours: this program again, on the same server."""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from app.eventstore.database import Database
from app.http.metrics import SHARED_DIRECTORY_VARIABLE
from app.settings import Settings, environment_of
from app.supervisor import ChildSpec

# -P: the folder that users are in may well hold a package `app` of their own.
OURS = (sys.executable, "-P", "-m", "app")
"""How a process starts another one of ours."""


def worker_specs(
    settings: Settings, database: Database, sockets: Sequence[socket.socket], metrics: Path
) -> list[ChildSpec]:
    """The API's worker processes, one a socket."""
    return [
        ChildSpec(
            name=f"api-{number}",
            argv=[*OURS, "serve", "--fd", str(listening.fileno())],
            env=child_environment(settings, database, metrics),
            pass_fds=[listening.fileno()],
        )
        for number, listening in enumerate(sockets, 1)
    ]


def child_environment(settings: Settings, database: Database, metrics: Path) -> dict[str, str]:
    """What a child process of ours runs with: our settings, on this very server."""
    return {
        **os.environ,
        **environment_of(settings),
        "TIDINGS_DATABASE_URL": database.url,
        SHARED_DIRECTORY_VARIABLE: str(metrics),
    }

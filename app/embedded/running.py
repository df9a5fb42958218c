"""Finds the server that another process runs on a data directory."""

import os
import time
from pathlib import Path

from app.embedded import postmaster
from app.embedded.layout import Layout
from app.embedded.record import read_record

WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05


def find_running(data_dir: Path, *, wait_seconds: float = WAIT_SECONDS) -> str | None:
    """The libpq URI of the server running on `data_dir`; None when there is none.

    Waits while a living owner's server does not take connections yet.
    """
    layout = Layout(data_dir.resolve())
    deadline = time.monotonic() + wait_seconds
    while (record := read_record(layout.record)) and _lives(record.owner_pid):
        if postmaster.is_accepting(layout.cluster, record.socket):
            return record.dsn
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True

"""Ends what is left of an earlier PostgreSQL on the same cluster.

The owner's lock proves that whatever still runs there is an orphan: a postmaster that is shutting
down because its owner was killed, or the backends of a killed postmaster, in the middle of a long
statement. They are known by their command lines, not by ids in files, which others may have now.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.embedded.errors import OrphansRemain

# First they may go by themselves; then they are told to, without and with a choice.
STEPS: tuple[tuple[signal.Signals | None, float], ...] = (
    (None, 1.0),
    (signal.SIGQUIT, 5.0),
    (signal.SIGKILL, 5.0),
)
POLL_SECONDS = 0.02


def end_orphans(cluster: Path, cluster_name: str) -> None:
    """Wait until no process of the cluster runs, and see to it.

    Raises:
        OrphansRemain: Not even SIGKILL ended them in time.
    """
    for signum, patience_seconds in STEPS:
        deadline = time.monotonic() + patience_seconds
        if signum:
            _send(signum, processes_of(cluster, cluster_name))
        while remaining := processes_of(cluster, cluster_name):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        else:
            return
    pids = ", ".join(map(str, remaining))
    raise OrphansRemain(f"processes of an earlier PostgreSQL on {cluster} do not end: {pids}")


def _send(signum: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)


def processes_of(cluster: Path, cluster_name: str) -> list[int]:
    """Ids of the PostgreSQL processes that run on the cluster: a postmaster's command line has its
    path, the titles of the others have its name.
    """
    return [
        pid
        for pid, program, command in _processes()
        if (program.rpartition("/")[2] == "postgres" or program.startswith("postgres:"))
        and (cluster_name in command or str(cluster) in command)
    ]


if sys.platform == "linux":

    def _processes() -> Iterator[tuple[int, str, str]]:
        """Id, program and command line of each process; /proc, for small images have no `ps`."""
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                with suppress(OSError):  # it has ended
                    command = (process / "cmdline").read_bytes().decode(errors="replace")
                    yield int(process.name), command.partition("\0")[0], command

else:

    def _processes() -> Iterator[tuple[int, str, str]]:
        """Id, program and command line of each process."""
        listing = subprocess.run(
            ("ps", "-axww", "-o", "pid=,command="),  # noqa: S607 - wherever the system has it
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        for line in listing.stdout.splitlines():
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command.partition(" ")[0], command

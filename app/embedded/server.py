"""Runs the embedded PostgreSQL as a child of this process."""

import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from app.embedded.cluster import Cluster, own_cluster
from app.embedded.complaint import complaint_in
from app.embedded.errors import EmbeddedError, OrphansRemain, StartFailed
from app.tether import tethered

START_ATTEMPTS = 3
ATTEMPT_PAUSE_SECONDS = 0.5
START_LIMIT_SECONDS = 300.0  # recovery after a crash reads the log again
POLL_SECONDS = 0.02

# How a server is asked to end, and for how long each: fast, at once, by force.
STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


class EmbeddedPostgres:
    """A PostgreSQL of our own on a data directory, for as long as this process wants; it ends with
    this process, whatever ends that. Use it as a context, or by `start` and `stop`, in the main
    thread. A supervisor that keeps it running uses `own_cluster` instead.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        major: int | None = None,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take what `own_cluster` takes; nothing happens before `start`."""
        self._own = partial(own_cluster, data_dir, major=major, bin_dir=bin_dir, settings=settings)
        self._owned = ExitStack()
        self._cluster: Cluster | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """The database's libpq URI, from the first `start` to `stop`."""
        return self._started().dsn

    @property
    def pid(self) -> int | None:
        """The server's process id; None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server, or start it again after it has died; returns once it takes connections.

        Raises:
            AlreadyRunning: Another process runs on the data directory.
            BinariesNotFound: No binaries fit.
            OrphansRemain: Processes of an earlier server cannot be ended.
            StartFailed: PostgreSQL does not start.
        """
        if self.pid is not None:
            return
        try:
            self._cluster = self._cluster or self._owned.enter_context(self._own())
            self._launch(self._cluster)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server, and leave the data directory to others."""
        try:
            if self._process is not None:
                _end(self._process)
        finally:
            self._process = self._cluster = None
            self._owned.close()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def _started(self) -> Cluster:
        if self._cluster is None:
            raise EmbeddedError("the embedded PostgreSQL has not been started")
        return self._cluster

    def _launch(self, cluster: Cluster) -> None:
        for attempt in range(START_ATTEMPTS):
            if attempt:  # the kernel may still be releasing what a killed server held
                time.sleep(ATTEMPT_PAUSE_SECONDS)
            cluster.make_way()
            self._process = _spawn(cluster)
            if _becomes_ready(cluster, self._process):
                return
        raise StartFailed(f"PostgreSQL does not start: {complaint_in(cluster.log)}")


def _spawn(cluster: Cluster) -> subprocess.Popen[bytes]:
    with cluster.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own choice
            tethered(cluster.command, signal.SIGQUIT),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the terminal's Ctrl-C is its owner's business
        )


def _becomes_ready(cluster: Cluster, process: subprocess.Popen[bytes]) -> bool:
    """Wait until it takes connections; False when it ended instead."""
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while not cluster.is_accepting():
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise StartFailed(f"PostgreSQL took over {START_LIMIT_SECONDS:.0f} s to start")
        time.sleep(POLL_SECONDS)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    for signum, patience_seconds in STOP_STEPS:
        process.send_signal(signum)  # does nothing to one that has ended
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    raise OrphansRemain(f"PostgreSQL (process {process.pid}) does not end")

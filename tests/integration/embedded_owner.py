"""Processes that own an embedded PostgreSQL, for tests that kill them."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded.layout import Layout
from app.embedded.orphans import processes_of

DEADLINE_SECONDS = 60

OWNER = """
import json, sys
from pathlib import Path
from app.embedded import EmbeddedPostgres, EmbeddedError
try:
    with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
        print(json.dumps({"dsn": postgres.dsn, "pid": postgres.pid}), flush=True)
        sys.stdin.read()
except EmbeddedError as error:
    sys.exit(str(error))
"""


@dataclass
class Owner:
    """A process that owns the embedded PostgreSQL of a data directory until its input ends."""

    process: subprocess.Popen[str]
    dsn: str
    pid: int

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.communicate()
        return self.process.wait()


def popen(data_dir: Path, prefix: Sequence[str] = ()) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", OWNER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def owner(data_dir: Path, prefix: Sequence[str] = ()) -> Iterator[Owner]:
    with popen(data_dir, prefix) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield Owner(process, **json.loads(line))
        finally:
            process.communicate()  # ends its input, so that it stops and leaves nothing behind


def postgres_processes(data_dir: Path) -> list[int]:
    layout = Layout(data_dir.resolve())
    return processes_of(layout.cluster, layout.cluster_name)


def eventually(outcome: Callable[[], object]) -> bool:
    """Whether the outcome comes true before a generous deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not outcome():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True

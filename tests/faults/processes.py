"""Writers and readers as processes: their output goes to files, to be looked at while they run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.eventstore.database import Database

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60


class Running:
    """A process of a module of ours, and what it has said."""

    def __init__(self, folder: Path, name: str, module: str, *arguments: str) -> None:
        self.name = name
        self.output = folder / f"{name}.out"
        self.errors = folder / f"{name}.err"
        self.was_killed = False
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
            )

    def lines(self) -> list[str]:
        """The whole lines that it has said: a process killed in the middle leaves half a one."""
        return self.output.read_text().rpartition("\n")[0].splitlines()

    def signal(self, signum: signal.Signals) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signum)

    def kill(self) -> None:
        self.was_killed = True
        self.process.kill()
        self._close()

    def _close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(DEADLINE_SECONDS)

    def end(self) -> None:
        """End its input, and wait for it."""
        self.signal(signal.SIGCONT)
        self._close()
        assert self.was_killed or self.process.returncode == 0, self.errors.read_text()


class Processes:
    """Those of one test, on one store."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._store = (database.url, database.schema)
        self._folder = folder
        self.all: list[Running] = []

    def start(self, module: str, name: str, *arguments: str) -> Running:
        running = Running(self._folder, name, f"tests.faults.{module}", *self._store, *arguments)
        self.all.append(running)
        return running


@contextmanager
def processes(database: Database, folder: Path) -> Iterator[Processes]:
    """None of them outlives the block."""
    started = Processes(database, folder)
    try:
        yield started
    finally:
        for running in started.all:
            running.kill()

"""The processes that are measured: started with a log of their own, ended by their id."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic

from app.eventstore.database import Database
from app.settings import PREFIX
from app.supervisor import listen
from app.tether import tethered
from benchmarks.bench import Bench

HOST = "127.0.0.1"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
POLL_S = 0.05

_numbers = count(1)


@dataclass(frozen=True)
class Server:
    """An HTTP server, being started."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    authorization: str = "Bearer none"
    """What every request sends; the echo does not look at it."""

    async def ready(self) -> None:
        """Wait until it answers; raises with the end of its log when it does not."""
        deadline = monotonic() + START_LIMIT_S
        while not await asyncio.to_thread(self._answers):
            if self.process.poll() is not None or monotonic() > deadline:
                raise RuntimeError(f"{self.url} does not start: {self.log.read_text()[-2000:]}")
            await asyncio.sleep(POLL_S)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/live", timeout=5) as answer:  # noqa: S310 - http, ours
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def environment(bench: Bench, database: Database) -> dict[str, str]:
    """A user's, with the store named and every other setting at its default."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {
        **ours,
        "TIDINGS_DATABASE_URL": database.url,
        "TIDINGS_SCHEMA": database.schema,
        "TIDINGS_DATA_DIR": str(bench.directory / "data"),
    }


@contextmanager
def running(
    bench: Bench,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A Python process for the time of the block, and its log; it ends with us in any case."""
    log = bench.directory / f"process-{next(_numbers)}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            tethered([sys.executable, *arguments], signal.SIGTERM),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
        )
    try:
        yield process, log
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


NO_LIMIT = 10_000_000


@contextmanager
def tidings_server(bench: Bench, database: Database, *, workers: int = 1) -> Iterator[Server]:
    """``tidings serve`` as a user runs it, the log in a file; with limits that nobody meets, for
    one key sends everything.
    """
    port = _free_port()
    env = environment(bench, database)
    authorization = f"Bearer {_api_key(env)}"
    arguments = ["-m", "app", "serve", "--port", str(port), "--workers", str(workers)]
    for limit in ("--max-requests-per-s", "--max-events-per-s"):
        arguments += [limit, str(NO_LIMIT)]
    with running(bench, arguments, env=env) as (process, log):
        yield Server(f"http://{HOST}:{port}", process, log, authorization)


def _api_key(env: Mapping[str, str]) -> str:
    """A key that may do everything."""
    create = [sys.executable, "-m", "app", "keys", "create", "benchmarks", "--scope", "*"]
    done = subprocess.run(create, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def projector(bench: Bench, database: Database) -> Iterator[None]:
    """``tidings projector``."""
    with running(bench, ["-m", "app", "projector"], env=environment(bench, database)):
        yield


@contextmanager
def reactor(bench: Bench, database: Database) -> Iterator[subprocess.Popen[bytes]]:
    """``tidings reactor``."""
    with running(bench, ["-m", "app", "reactor"], env=environment(bench, database)) as started:
        yield started[0]


@contextmanager
def echo_server(bench: Bench, *, workers: int = 1) -> Iterator[Server]:
    """The echo (`benchmarks.echo`), its workers spread as those of ``tidings serve``."""
    sockets = listen(HOST, 0, workers)
    url = f"http://{HOST}:{sockets[0].getsockname()[1]}"
    with _all_running(bench, sockets) as (process, log):
        yield Server(url, process, log)


@contextmanager
def ungated_server(bench: Bench, database: Database) -> Iterator[Server]:
    """The routes that record, without the gateway (`benchmarks.ungated`)."""
    (listening,) = listen(HOST, 0, 1)
    url = f"http://{HOST}:{listening.getsockname()[1]}"
    arguments = ["-m", "benchmarks.ungated", str(listening.fileno())]
    env = environment(bench, database)
    with listening, running(bench, arguments, env=env, pass_fds=[listening.fileno()]) as started:
        yield Server(url, *started)


@contextmanager
def _all_running(
    bench: Bench, sockets: Sequence[socket.socket]
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    first, *others = sockets
    arguments = ["-m", "benchmarks.echo", str(first.fileno())]
    with first, running(bench, arguments, pass_fds=[first.fileno()]) as started:
        if others:
            with _all_running(bench, others):
                yield started
        else:
            yield started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port

"""A child process: what to run, and how it begins and ends."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.tether import tethered


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """A command to keep running.

    Attributes:
        name: What the log calls it.
        argv: The command line.
        env: The whole environment; None passes on ours.
        pass_fds: File descriptors that it inherits, such as listening sockets.
        output: The file that gets its standard output and error; None shares ours.
        stop_signal: Asks it to finish what it is doing and end.
        kill_signal: Ends it at once; it also gets this one when the supervisor itself is killed.
        before_start: Called in a thread before each start.
        is_ready: Called in a thread, again and again, until it says that the child serves; without
            it, a child serves as soon as it runs.
        ready_seconds: How long that may take.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    pass_fds: Sequence[int] = ()
    output: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    kill_signal: signal.Signals = signal.SIGKILL
    before_start: Callable[[], None] | None = None
    is_ready: Callable[[], bool] | None = None
    ready_seconds: float = 300.0


async def spawn(spec: ChildSpec) -> Process:
    """Start it, tied to this process, in a session of its own: the terminal's Ctrl-C reaches the
    supervisor alone, which sees to the order of things.
    """
    with _output(spec) as output:
        return await asyncio.create_subprocess_exec(
            *tethered(spec.argv, spec.kill_signal),
            env=spec.env,
            pass_fds=spec.pass_fds,
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def send(process: Process, signum: signal.Signals) -> None:
    """Signal the process; SIGKILL is for everything it has started, too."""
    with suppress(ProcessLookupError):
        if signum == signal.SIGKILL:
            os.killpg(process.pid, signum)
        else:
            process.send_signal(signum)


def describe(status: int) -> str:
    """An exit status in words: ``exit status 1``, ``SIGKILL``."""
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):  # a signal without a name
        return signal.Signals(-status).name
    return f"signal {-status}"


@contextmanager
def _output(spec: ChildSpec) -> Iterator[IO[bytes] | None]:
    if spec.output is None:
        yield None
    else:
        with spec.output.open("ab") as file:
            yield file

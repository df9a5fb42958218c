"""Keeps one child running."""

import asyncio
import signal
from asyncio import FIRST_COMPLETED, Future
from asyncio.subprocess import Process
from time import monotonic
from typing import Any

import structlog

from app.supervisor.backoff import Backoff
from app.supervisor.child import ChildSpec, describe, send, spawn
from app.supervisor.errors import ChildFailed

START_ATTEMPTS = 5
READY_POLL_SECONDS = 0.05
KILL_SECONDS = 1.0

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Keeper:
    """One child, started now and again after each death, until `stop`.

    Attributes:
        ready: Done once the child has served for the first time.
        task: Done when the child is stopped for good. Fails with `ChildFailed` when the child never
            got as far as serving, or with the error of the callable that should tell.
        killed: Whether the child did not end when it was asked to.
    """

    def __init__(self, spec: ChildSpec) -> None:
        """Start keeping it; needs a running loop."""
        loop = asyncio.get_running_loop()
        self.spec = spec
        self.ready: Future[None] = loop.create_future()
        self.killed = False
        self._patience_seconds: Future[float] = loop.create_future()  # done: asked to stop
        self._at_once: Future[None] = loop.create_future()
        self._log = log.bind(child=spec.name)
        self.task = asyncio.create_task(self._keep(), name=f"keep {spec.name}")

    def stop(self, patience_seconds: float) -> None:
        """Ask the child to end, and end it when it has not done so in time."""
        if not self._patience_seconds.done():
            self._patience_seconds.set_result(patience_seconds)

    def kill(self) -> None:
        """Have no patience when the child is stopped."""
        if not self._at_once.done():
            self._at_once.set_result(None)

    async def _keep(self) -> None:
        backoff, attempts = Backoff(), 0
        while not self._patience_seconds.done():
            started, attempts = monotonic(), attempts + 1
            outcome = await self._run_and_describe()
            if self._patience_seconds.done():
                return
            if not self.ready.done() and attempts == START_ATTEMPTS:
                raise ChildFailed(self._never_ready(outcome))
            pause_seconds = backoff.seconds_after(monotonic() - started)
            self._log.warning("child ended", outcome=outcome, restart_in_seconds=pause_seconds)
            await _first_of(self._patience_seconds, within_seconds=pause_seconds)

    async def _run_and_describe(self) -> str:
        try:
            return describe(await self._run())
        except Exception as error:
            if not self.ready.done():
                raise
            return f"{type(error).__name__}: {error}"

    async def _run(self) -> int:
        """One life of the child, until it ends or is asked to; its exit status."""
        if self.spec.before_start:
            await asyncio.to_thread(self.spec.before_start)
        process = await spawn(self.spec)
        self._log.info("child started", pid=process.pid)
        exited = asyncio.ensure_future(process.wait())
        try:
            await self._until_ready(exited)
            await _first_of(exited, self._patience_seconds)
        finally:
            if not exited.done():
                await self._end(process, exited)
        return exited.result()

    async def _until_ready(self, exited: Future[int]) -> None:
        deadline = monotonic() + self.spec.ready_seconds
        while not (exited.done() or self._patience_seconds.done()):
            if self.spec.is_ready is None or await asyncio.to_thread(self.spec.is_ready):
                if not self.ready.done():
                    self.ready.set_result(None)
                return
            if monotonic() > deadline:
                raise ChildFailed(
                    f"{self.spec.name} was not ready within {self.spec.ready_seconds:g} s"
                )
            await _first_of(exited, self._patience_seconds, within_seconds=READY_POLL_SECONDS)

    async def _end(self, process: Process, exited: Future[int]) -> None:
        """Ask it, then insist."""
        asked = self._patience_seconds
        send(process, self.spec.stop_signal)
        patience_seconds = asked.result() if asked.done() else KILL_SECONDS
        await _first_of(exited, self._at_once, within_seconds=patience_seconds)
        self.killed = not exited.done()
        for signum in (self.spec.kill_signal, signal.SIGKILL):
            if not exited.done():
                send(process, signum)
                await _first_of(exited, within_seconds=KILL_SECONDS)
        self._log.info("child stopped", outcome=describe(await exited))

    def _never_ready(self, outcome: str) -> str:
        where = f"; see {self.spec.output}" if self.spec.output else ""
        return (
            f"{self.spec.name} ended {START_ATTEMPTS} times before it was ready ({outcome}){where}"
        )


async def _first_of(*futures: Future[Any], within_seconds: float | None = None) -> None:
    """Wait until one is done, or the time is over; none is cancelled."""
    await asyncio.wait(futures, timeout=within_seconds, return_when=FIRST_COMPLETED)

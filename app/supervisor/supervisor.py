"""Keeps child processes running until it is told to stop, then stops them in order."""

import asyncio
import signal
from asyncio import FIRST_COMPLETED, Future
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.supervisor.child import ChildSpec
from app.supervisor.keeper import KILL_SECONDS, Keeper

DRAIN_SECONDS = 10.0
RESERVED_SECONDS = 1.5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """Starts tiers of children one after the other, each when the one before is ready, and stops
    them in the opposite order: what starts first, PostgreSQL, stops last.
    """

    def __init__(
        self, tiers: Sequence[Sequence[ChildSpec]], *, drain_seconds: float = DRAIN_SECONDS
    ) -> None:
        """Take what to run, and how long stopping all of it may take."""
        self._specs = tiers
        self._drain_seconds = drain_seconds
        self._tiers: list[list[Keeper]] = []

    async def run(self, on_started: Callable[[], Awaitable[object]] | None = None) -> int:
        """Run until SIGTERM, SIGINT or SIGHUP; a second one ends everything at once.

        Needs the main thread. `on_started` is awaited when all are ready. Children die with this
        process even if it is killed.

        Returns:
            The exit status: 0 when every child ended when it was asked to, else 1.

        Raises:
            ChildFailed: A child never became ready; the others have been stopped.
        """
        told: Future[None] = asyncio.get_running_loop().create_future()
        with self._signals(told):
            try:
                for specs in self._specs:
                    self._tiers.append([Keeper(spec) for spec in specs])
                    await self._until(told, [keeper.ready for keeper in self._tiers[-1]])
                if on_started and not told.done():
                    await on_started()
                await self._until(told, [told])
            finally:
                await self._drain()
        return int(any(keeper.killed for keeper in self._keepers()))

    async def _until(self, told: Future[None], wanted: Iterable[Future[None]]) -> None:
        """Wait for all that is wanted, or to be told to stop; raise what ended a keeper."""
        pending = set(wanted)
        while pending and not told.done():
            tasks = {keeper.task for keeper in self._keepers()}
            anything: set[Future[Any]] = {*pending, *tasks, told}
            await asyncio.wait(anything, return_when=FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            pending = {future for future in pending if not future.done()}

    async def _drain(self) -> None:
        """Stop tier by tier; each leaves some time to those that stop after it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_seconds - KILL_SECONDS
        for tiers_left, tier in reversed(list(enumerate(self._tiers))):
            patience_seconds = deadline - loop.time() - tiers_left * RESERVED_SECONDS
            for keeper in tier:
                keeper.stop(max(0.0, patience_seconds))
            await asyncio.gather(*(keeper.task for keeper in tier), return_exceptions=True)

    @contextmanager
    def _signals(self, told: Future[None]) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if not told.done():
                told.set_result(None)
                return
            for keeper in self._keepers():
                keeper.kill()

        # Some start us with signals ignored, nohup for one, and mean it.
        heeded = [signum for signum in STOP_SIGNALS if signal.getsignal(signum) != signal.SIG_IGN]
        for signum in heeded:
            loop.add_signal_handler(signum, stop)
        try:
            yield
        finally:
            for signum in heeded:
                loop.remove_signal_handler(signum)

    def _keepers(self) -> Iterator[Keeper]:
        for tier in self._tiers:
            yield from tier

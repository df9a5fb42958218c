"""Who goes first when an event wakes everybody: the read models that people look at.

All at once, each would have a share of the processors, and all would be done late.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from time import monotonic

YIELDS_S = 0.001
"""How much earlier somebody may have come, a rank, and still lets another go first. So whoever is
late in the order waits for a while and not for ever, however often the others come again.
"""
LONGEST_TURN_S = 0.1
"""Whoever takes longer waits for something else, such as a lock, and keeps nobody from going on."""


class Precedence:
    """So many at once; of those who wait, the first in the order goes on."""

    def __init__(self, at_once: int) -> None:
        """Nobody is at it."""
        self._free = at_once
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the time of the block, or as long as anybody may. 0 is
        the first rank.
        """
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        heapq.heappush(self._waiting, (monotonic() + rank * YIELDS_S, next(self._numbers), turn))
        # Not at once: those who were woken together are all to have come.
        loop.call_soon(self._next)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come already
                self._end()
            raise
        has_it = True

        def give_back() -> None:
            nonlocal has_it
            if has_it:
                has_it = False
                self._end()

        late = loop.call_later(LONGEST_TURN_S, give_back)
        try:
            yield
        finally:
            late.cancel()
            give_back()

    def _end(self) -> None:
        self._free += 1
        self._next()

    def _next(self) -> None:
        while self._free and self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

"""Turns at things that have names, such as streams: one at a time, in the order of coming."""

import asyncio
from collections import deque


class Turns:
    """What a lock for each name would do; where nobody waits, it costs next to nothing."""

    def __init__(self) -> None:
        """Nobody is at anything."""
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """How many things somebody is at."""
        return len(self._waiting)

    def take(self, name: str) -> bool:
        """Begin a turn when nobody is at the thing; else False, and `wait` is for you."""
        if name in self._waiting:
            return False
        self._waiting[name] = deque()
        return True

    async def wait(self, name: str) -> None:
        """Begin a turn as soon as those before have ended theirs."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[name].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come already
                self.end(name)
            raise

    def end(self, name: str) -> None:
        """End a turn: the next one begins."""
        waiting = self._waiting[name]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[name]

"""What the processes have in common that end themselves by SIGKILL, each at a named point.

Run as a module: URL, schema, point, count, and whatever else the module says.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable
from typing import Self, TypeVar

from app.eventstore.database import Database

NEVER = "never"

Answer = TypeVar("Answer")


class Mortal:
    """Ends its process at a point, the nth time that it comes there."""

    def __init__(self, point: str, count: int) -> None:
        self._point = point
        self._left = count

    @classmethod
    def from_arguments(cls) -> tuple[Database, Self, list[str]]:
        """The store to work on, what ends this process, and the arguments behind those."""
        url, schema, point, times, *others = sys.argv[1:]
        database = Database(url, schema, accept_data_loss=True)
        return database, cls(point, int(times)), others

    def at(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    async def amid(self, point: str, call: Awaitable[Answer], *, after_s: float = 0) -> Answer:
        """Come to a point when a call is sent, and nobody knows how far it came."""
        sent = asyncio.ensure_future(call)
        await asyncio.sleep(after_s)
        self.at(point)
        return await sent

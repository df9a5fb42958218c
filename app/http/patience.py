"""How long a client may let an answer wait."""

import asyncio
from collections.abc import Callable

STALL_PATIENCE_S = 30.0
"""How long a client may take nothing of an answer that waits for it."""
PIECE_PATIENCE_S = 1.0
"""By how much longer, for what it has taken after all: some tens of KiB (`app.http.load`)."""


class Patience:
    """With one client: what is used up by waiting comes back as it takes what it is sent.

    So one that takes a little now and then, never to be given up, is given up all the same.
    """

    __slots__ = ("_changed_at", "_give_up", "_left_s", "_loop", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, give_up: Callable[[], None]) -> None:
        """Take what is called when it is at an end."""
        self._loop = loop
        self._give_up = give_up
        self._left_s = STALL_PATIENCE_S
        self._changed_at = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def wait(self) -> None:
        """From now on the client is waited for."""
        if self._timer is None:
            self._left_s = min(self._left_s + self._passed_s(), STALL_PATIENCE_S)
            self._timer = self._loop.call_later(self._left_s, self._give_up)

    def go_on(self) -> None:
        """It has taken what it was waited for with."""
        if self._timer is not None:
            self.end()
            self._left_s = max(self._left_s - self._passed_s(), 0) + PIECE_PATIENCE_S

    def end(self) -> None:
        """Nobody is waited for any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _passed_s(self) -> float:
        """Since this was asked before."""
        before, self._changed_at = self._changed_at, self._loop.time()
        return self._changed_at - before

"""A circuit breaker: a destination that does not answer is left alone for a while."""

from collections.abc import Callable
from time import monotonic

FAILURES_TO_OPEN = 5
"""In a row."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


class Circuit:
    """Opens after some failures in a row; then one message at a time finds out how things are."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Closed; the clock tells seconds."""
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def admits(self, under_way: int, most: int) -> int:
        """How many more may go to the destination now, of at most so many at once."""
        if self._failures < FAILURES_TO_OPEN:
            return max(most - under_way, 0)
        is_time = self._clock() >= self._open_until
        return 1 if is_time and not under_way else 0

    def answered(self) -> None:
        """It is there, whatever it said."""
        self._failures = 0

    def failed(self) -> None:
        """It did not answer."""
        self._failures += 1
        beyond = min(max(self._failures - FAILURES_TO_OPEN, 0), 10)
        pause_s = min(FIRST_PAUSE_S * 2**beyond, LONGEST_PAUSE_S)
        self._open_until = self._clock() + pause_s

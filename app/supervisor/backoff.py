"""How long to wait before a child that died is started again."""

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 5.0
HEALTHY_SECONDS = 5.0


class Backoff:
    """Not at all the first time, then twice as long each time; from the start again once the child
    has stayed up for a while.
    """

    def __init__(self) -> None:
        """Nothing has died yet."""
        self._deaths = 0

    def seconds_after(self, uptime_seconds: float) -> float:
        """The wait after a death, given how long the child had been up."""
        self._deaths = 1 if uptime_seconds >= HEALTHY_SECONDS else self._deaths + 1
        if self._deaths == 1:
            return 0.0
        doublings = min(self._deaths - 2, 30)
        return float(min(FIRST_SECONDS * 2**doublings, LONGEST_SECONDS))

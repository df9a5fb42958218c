"""How much of the log a consumer takes at once, by which it finds an event that fails."""


class Doubt:
    """Batches are halved with every failure in a row until the event that fails stands alone."""

    def __init__(self, max_events: int) -> None:
        """Take how many events a batch has when nothing is in doubt."""
        self._max_events = max_events
        self._alone = failures_until_alone(max_events)
        self._failures = 0

    @property
    def max_events(self) -> int:
        """How many events the next batch may have."""
        return max(self._max_events >> self._failures, 1)

    @property
    def is_alone(self) -> bool:
        """Whether the next batch is one event."""
        return self._failures >= self._alone

    @property
    def is_certain(self) -> bool:
        """Whether one event alone has failed twice, which no accident at any moment would."""
        return self._failures >= self._alone + 2

    def failed(self, times: int = 1) -> None:
        """The last batch failed, or as many in a row."""
        self._failures += times

    def passed(self) -> None:
        """The last batch did not fail: the next one may be twice as large."""
        self._failures = max(min(self._failures, self._alone) - 1, 0)


def failures_until_alone(max_events: int) -> int:
    """After how many failures in a row the next batch is one event."""
    return max_events.bit_length() - 1

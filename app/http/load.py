"""How much one process takes on at a time; more it refuses early, and stays within its memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.kernel.errors import TidingsError

MAX_REQUESTS = 1_000
"""That are being answered; live streams count apart."""
MAX_HELD_BODY_BYTES = 64 * 1024 * 1024
"""Of the bodies of all these requests, as far as they announce themselves or have come."""
MAX_STREAMS = 1_000
"""Live streams of everybody."""
MAX_STREAMS_OF_AN_OWNER = 500
STREAM_RETRY_AFTER_S = 5


class Overloaded(TidingsError):
    """The server has more to do than it can at the moment; nothing of the request was looked at."""


class TooManyStreams(TidingsError):
    """The credential's owner follows too many live streams."""

    retry_after_s = STREAM_RETRY_AFTER_S


class Load:
    """What a process has taken on."""

    __slots__ = ("_max_streams_of_an_owner", "_streams", "body_bytes", "open_streams", "requests")

    def __init__(self, *, max_streams_of_an_owner: int = MAX_STREAMS_OF_AN_OWNER) -> None:
        """Nothing yet."""
        self._max_streams_of_an_owner = max_streams_of_an_owner
        self._streams: Counter[str] = Counter()
        self.open_streams = self.requests = self.body_bytes = 0

    def is_full(self) -> bool:
        """Whether there are more requests than are to be answered at a time."""
        return self.requests - self.open_streams > MAX_REQUESTS

    @contextmanager
    def streaming(self, owner: str) -> Iterator[None]:
        """One live stream, for the time of the block. Raises `TooManyStreams` or `Overloaded`."""
        if self._streams[owner] >= self._max_streams_of_an_owner:
            raise TooManyStreams(f"at most {self._max_streams_of_an_owner} at a time")
        if self.open_streams >= MAX_STREAMS:
            raise Overloaded("too many live streams are open")
        self._streams[owner] += 1
        self.open_streams += 1
        try:
            yield
        finally:
            self.open_streams -= 1
            self._streams[owner] -= 1
            if not self._streams[owner]:
                del self._streams[owner]

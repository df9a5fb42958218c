"""How much one process takes on at a time; more it refuses early, and stays within its memory."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.kernel.errors import TidingsError

MAX_REQUESTS = 1_000
"""That are being answered; live streams count apart."""
MAX_HELD_BODY_BYTES = 64 * 1024 * 1024
"""Of the bodies of all these requests, as far as they announce themselves or have come."""
MAX_HELD_ANSWER_BYTES = 96 * 1024 * 1024
"""Of answers that clients have not taken yet."""
SMALL_ANSWER_BYTES = 32 * 1024
"""Up to so many an answer is not counted; a larger one is sent in pieces of this size, each when
the one before is taken."""
UNKNOWN_ANSWER_BYTES = 8 * 1024 * 1024
"""Held for an answer that is made while it is sent, such as an export."""
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

    __slots__ = (
        "_is_backed_up",
        "_max_streams_of_an_owner",
        "_streams",
        "answer_bytes",
        "body_bytes",
        "open_streams",
        "requests",
    )

    def __init__(
        self,
        *,
        max_streams_of_an_owner: int = MAX_STREAMS_OF_AN_OWNER,
        is_backed_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Nothing yet. Take what knows whether too much waits to be recorded."""
        self._is_backed_up = is_backed_up
        self._max_streams_of_an_owner = max_streams_of_an_owner
        self._streams: Counter[str] = Counter()
        self.open_streams = self.requests = self.body_bytes = self.answer_bytes = 0

    def is_full_for(self, method: str) -> bool:
        """Whether more is to be answered, or recorded, or waits to be taken than may at a time."""
        return (
            self.requests - self.open_streams > MAX_REQUESTS
            or self.answer_bytes > MAX_HELD_ANSWER_BYTES
            or (method != "GET" and self._is_backed_up())
        )

    def has_room_for(self, answer_bytes: int) -> bool:
        """Whether an answer of this size may wait to be taken, beside all that do."""
        return self.answer_bytes + answer_bytes <= MAX_HELD_ANSWER_BYTES

    @contextmanager
    def sending(self, size_bytes: int) -> Iterator[None]:
        """Bytes of a live stream on their way, for the time of the block. Raises `Overloaded`."""
        if not self.has_room_for(size_bytes):
            raise Overloaded
        self.answer_bytes += size_bytes
        try:
            yield
        finally:
            self.answer_bytes -= size_bytes

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

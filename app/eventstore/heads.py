"""What a writer knows of streams' versions from its own appends, which spares the store a look."""

from collections.abc import Sequence

MAX_STREAMS = 100_000


class Heads:
    """Exact for as long as nobody else writes, which the log's last position shows; then the least
    that a stream has.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.position = 0
        """Where the log ended after the last append that was noted."""
        self._exact: dict[str, int] = {}
        self._least: dict[str, int] = {}

    def hint(self, stream: str) -> bytes:
        """What a record of `append_events` says of its stream."""
        if version := self._exact.get(stream):
            return b'"head":%d,' % version
        if version := self._least.get(stream):
            return b'"known":%d,' % version
        return b""

    def note(self, streams: Sequence[str], first_position: int, versions: Sequence[int]) -> None:
        """Events were recorded from a position on: their streams, in order, and their versions."""
        if first_position != self.position + 1:
            self._least |= self._exact
            self._exact.clear()
        if len(self._exact) + len(self._least) > MAX_STREAMS:
            self.forget()
        self.position = first_position + len(versions) - 1
        self._exact.update(zip(streams, versions, strict=False))

    def forget(self) -> None:
        """Believe nothing any more: the server may be another one, which has seen less."""
        self.position = 0
        self._exact.clear()
        self._least.clear()

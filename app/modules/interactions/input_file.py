"""The lines of a file to import: a path or standard input, compressed with gzip or not."""

import gzip
import io
import os
import select
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from app.kernel.errors import TidingsError

MAX_LINE_BYTES = 256 * 1024

_BUFFER_BYTES = 256 * 1024
_WAIT_S = 0.2
_GZIP_MAGIC = b"\x1f\x8b"


class BrokenInput(TidingsError):
    """The file cannot be read to its end."""


class ReadingStopped(TidingsError):
    """Reading was stopped before the end of the file, as asked for."""


class InputFile:
    """A file that is being read, and how far."""

    def __init__(self, name: str, file: io.FileIO, should_stop: Callable[[], bool]) -> None:
        """`should_stop` is asked now and then, also while a pipe is silent; it ends the reading."""
        self.name = name
        status = os.fstat(file.fileno())
        self.size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None
        """How large it is as it lies there; None when nobody knows."""
        self._raw = _Raw(file.fileno(), should_stop, may_be_silent=self.size_bytes is None)

    @property
    def position_bytes(self) -> int:
        """How much of it has been read, as it lies there."""
        return self._raw.position_bytes

    def lines(self) -> Iterator[bytes]:
        """Its lines, decompressed, with their ends; of too long a one, MAX_LINE_BYTES and one more.

        Raises `BrokenInput` or `ReadingStopped`.
        """
        try:
            stream = self._decompressed()
            for line in iter(partial(stream.readline, MAX_LINE_BYTES + 1), b""):
                yield line
                if len(line) > MAX_LINE_BYTES:
                    _skip_rest_of_line(stream, line)
        except (OSError, EOFError, zlib.error) as error:
            raise BrokenInput(f"{self.name} cannot be read to its end: {error}") from error

    def _decompressed(self) -> BinaryIO:
        start = b""
        while len(start) < len(_GZIP_MAGIC) and (more := self._raw.read(len(_GZIP_MAGIC))):
            start += more
        self._raw.put_back(start)
        stored = io.BufferedReader(self._raw, _BUFFER_BYTES)
        if start.startswith(_GZIP_MAGIC):
            return io.BufferedReader(gzip.GzipFile(fileobj=stored), _BUFFER_BYTES)
        return stored


class _Raw(io.RawIOBase):
    """The bytes of a file as they lie there: counted, and interruptible where they may not come."""

    def __init__(self, fd: int, should_stop: Callable[[], bool], *, may_be_silent: bool) -> None:
        super().__init__()
        self.position_bytes = 0
        self._fd = fd
        self._should_stop = should_stop
        self._may_be_silent = may_be_silent
        self._put_back = b""

    def readable(self) -> bool:
        return True

    def put_back(self, start: bytes) -> None:
        """Have these bytes read again."""
        self._put_back = start

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        if self._put_back:
            count = len(self._put_back)
            buffer[:count] = self._put_back
            self._put_back = b""
            return count
        self._wait()
        count = os.readv(self._fd, [buffer])
        self.position_bytes += count
        return count

    def _wait(self) -> None:
        while not self._should_stop():
            if not self._may_be_silent or select.select([self._fd], [], [], _WAIT_S)[0]:
                return
        raise ReadingStopped


def _skip_rest_of_line(stream: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(MAX_LINE_BYTES)


@contextmanager
def opened_file(path: str, should_stop: Callable[[], bool]) -> Iterator[InputFile]:
    """The file at a path, or standard input for ``-``. Raises `BrokenInput`."""
    try:
        file = io.FileIO(0, closefd=False) if path == "-" else io.FileIO(path)
    except OSError as error:
        raise BrokenInput(f"{path} cannot be opened: {error.strerror}") from None
    with file:
        yield InputFile("standard input" if path == "-" else path, file, should_stop)

"""The lines of a file to import: a path or standard input, compressed with gzip or not."""

import asyncio
import io
import os
import stat
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

from app.kernel.errors import TidingsError

MAX_LINE_BYTES = 256 * 1024
MAX_CHUNK_BYTES = 64 * 1024
SILENCE = timedelta(milliseconds=200)

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


class BrokenInput(TidingsError):
    """The file cannot be read to its end."""


class ReadingStopped(TidingsError):
    """Reading was stopped before the end of the file, as asked for."""


class InputFile:
    """A file that is being read, and how far."""

    def __init__(self, name: str, file: io.FileIO, stop: asyncio.Event) -> None:
        """Take an open file. Its reading ends when `stop` is set, even while a pipe is silent."""
        self.name = name
        status = os.fstat(file.fileno())
        self.size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None
        """How large it is, as it lies there; None when nobody knows."""
        self.position_bytes = 0
        """How much of it has been read, as it lies there."""
        self._fd = file.fileno()
        self._stop = stop

    async def lines(self) -> AsyncIterator[list[bytes]]:
        """Its lines, decompressed, with their ends, as they come; none while a pipe is silent.

        One that is longer than MAX_LINE_BYTES is still so when it is cut. Raises `BrokenInput` or
        `ReadingStopped`.
        """
        content, lines = _Content(), _Lines()
        try:
            async for chunk in self._chunks():
                for part in content.of(chunk):
                    yield lines.of(part)
            yield [*lines.of(content.rest()), *lines.rest()]
        except (OSError, EOFError, zlib.error) as error:
            raise BrokenInput(f"{self.name} cannot be read to its end: {error}") from error

    async def _chunks(self) -> AsyncIterator[bytes]:
        while not self._stop.is_set():
            if not await self._is_readable():
                yield b""
            elif chunk := os.read(self._fd, MAX_CHUNK_BYTES):
                self.position_bytes += len(chunk)
                yield chunk
            else:
                return
        raise ReadingStopped

    async def _is_readable(self) -> bool:
        """Whether there is something to be read, now or before the pipe counts as silent."""
        if self.size_bytes is not None:
            return True
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._fd, ready.set)
        except PermissionError:  # a device that never lets one wait, such as /dev/null
            return True
        try:
            async with asyncio.timeout(SILENCE.total_seconds()):
                return await ready.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._fd)


class _Content:
    """What a file says: its bytes as they are, or decompressed when they begin as gzip's do."""

    def __init__(self) -> None:
        self._start: bytes | None = b""
        self._member: zlib._Decompress | None = None

    def of(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes say, in parts of bounded size; for none, none."""
        if self._start is not None:
            chunk = self._start + chunk
            self._start = chunk if len(chunk) < len(_GZIP_MAGIC) else None
            if self._start is not None:
                return iter((b"",))
            if chunk.startswith(_GZIP_MAGIC):
                self._member = zlib.decompressobj(_GZIP_WINDOW_BITS)
        return iter((chunk,)) if self._member is None else self._decompressed(chunk)

    def rest(self) -> bytes:
        """What is left at the end of the file. Raises `EOFError` when it ends too soon."""
        if self._member is not None and not self._member.eof:
            raise EOFError("it breaks off")
        return self._start or b""

    def _decompressed(self, chunk: bytes) -> Iterator[bytes]:
        """A file may be several compressed ones in a row, with NULs between and behind them."""
        member = self._member
        assert member is not None  # noqa: S101 - for the type checker: asked for when it is set
        if not chunk:
            yield b""
        while chunk:
            if member.eof:
                chunk = chunk.lstrip(b"\0")
                self._member = member = zlib.decompressobj(_GZIP_WINDOW_BITS) if chunk else member
            part = member.decompress(chunk, MAX_CHUNK_BYTES) if chunk else b""
            yield part
            while len(part) == MAX_CHUNK_BYTES:
                part = member.decompress(member.unconsumed_tail, MAX_CHUNK_BYTES)
                yield part
            chunk = member.unused_data if chunk else b""


class _Lines:
    """Parts of a text into lines; what is too long of one is left out."""

    def __init__(self) -> None:
        self._begun = b""

    def of(self, part: bytes) -> list[bytes]:
        """The lines that end in the next part, their ends included."""
        if len(self._begun) > MAX_LINE_BYTES:
            part = part[part.index(b"\n") :] if b"\n" in part else b""
        lines = (self._begun + part).split(b"\n")
        self._begun = lines.pop()[: MAX_LINE_BYTES + 1]
        return [line + b"\n" for line in lines]

    def rest(self) -> list[bytes]:
        """The last line, when it has no end."""
        return [self._begun] if self._begun else []


@contextmanager
def opened_file(path: str, stop: asyncio.Event) -> Iterator[InputFile]:
    """The file at a path, or standard input for ``-``. Raises `BrokenInput`."""
    try:
        file = io.FileIO(0, closefd=False) if path == "-" else io.FileIO(path)
    except OSError as error:
        raise BrokenInput(f"{path} cannot be opened: {error.strerror}") from None
    with file:
        yield InputFile("standard input" if path == "-" else path, file, stop)

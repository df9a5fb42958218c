"""Files to import: compressed or not, broken off, silent, with lines of any length."""

import asyncio
import gzip
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.modules.interactions.input_file import (
    MAX_LINE_BYTES,
    BrokenInput,
    InputFile,
    ReadingStopped,
    opened_file,
)

pytestmark = pytest.mark.anyio

LINES = [b"user,n\n", *(b"ann,%d\n" % number for number in range(50_000)), b"bob,1"]
CONTENT = b"".join(LINES)


async def lines_of(path: Path) -> list[bytes]:
    with opened_file(str(path), asyncio.Event()) as file:
        return [line async for batch in file.lines() for line in batch]


@asynccontextmanager
async def pipe(stop: asyncio.Event) -> AsyncIterator[tuple[InputFile, int]]:
    """A file that is the reading end of a pipe, and the descriptor of its writing end."""
    reading, writing = os.pipe()
    with io.FileIO(reading) as file:
        yield InputFile("pipe", file, stop), writing


@pytest.mark.parametrize("cut", [1, 100, len(CONTENT) // 2])
async def test_gzip_is_told_by_its_first_bytes_whatever_the_name(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "events.csv"
    members = gzip.compress(CONTENT[:cut]) + gzip.compress(b"") + gzip.compress(CONTENT[cut:])
    for content in (CONTENT, gzip.compress(CONTENT), members, members + b"\0" * 700):
        path.write_bytes(content)
        assert await lines_of(path) == LINES


async def test_how_far_it_was_read_is_told_in_bytes_as_they_lie_there(tmp_path: Path) -> None:
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(CONTENT))
    with opened_file(str(path), asyncio.Event()) as file:
        async for _ in file.lines():
            assert 0 < file.position_bytes <= path.stat().st_size
        assert file.position_bytes == file.size_bytes == path.stat().st_size


async def test_a_small_file_that_says_much_is_read_in_bounded_parts(tmp_path: Path) -> None:
    path = tmp_path / "zeros.gz"
    path.write_bytes(gzip.compress(b"0\n" * 10_000_000))
    lines = 0
    with opened_file(str(path), asyncio.Event()) as file:
        async for batch in file.lines():
            assert len(batch) <= MAX_LINE_BYTES
            lines += len(batch)
    assert lines == 10_000_000


@pytest.mark.parametrize("content", [CONTENT, gzip.compress(CONTENT), b"", b"a", b"\x1f"])
async def test_a_pipe_is_read_however_its_bytes_come(content: bytes) -> None:
    async with pipe(asyncio.Event()) as (file, writing):
        size = max(1, len(content) // 7)

        def write() -> None:
            with io.FileIO(writing, "wb") as end:
                for start in range(0, len(content), size):
                    end.write(content[start : start + min(size, 1)])
                    end.write(content[start + 1 : start + size])

        writer = asyncio.create_task(asyncio.to_thread(write))
        lines = [line async for batch in file.lines() for line in batch]
        await writer
        expected = LINES if len(content) > 1 else [content] if content else []
        assert lines == expected
        assert file.size_bytes is None


async def test_while_a_pipe_is_silent_it_says_so_and_can_be_stopped() -> None:
    stop = asyncio.Event()
    async with pipe(stop) as (file, writing):
        os.write(writing, b"user,n\nann")
        lines = file.lines()
        assert await anext(lines) == [b"user,n\n"]
        assert await anext(lines) == []
        os.write(writing, b",1\n")
        assert await anext(lines) == [b"ann,1\n"]
        stop.set()
        with pytest.raises(ReadingStopped):
            await anext(lines)
        os.close(writing)


async def test_a_line_that_is_too_long_stays_so_and_hurts_no_other(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    for size in (MAX_LINE_BYTES, MAX_LINE_BYTES * 3, MAX_LINE_BYTES * 3 + 77):
        path.write_bytes(b"a\n" + b"x" * size + b"\nb\n" + b"y" * size)
        first, long, second, last = await lines_of(path)
        assert (first, second) == (b"a\n", b"b\n")
        assert len(long) > MAX_LINE_BYTES
        assert len(last) >= MAX_LINE_BYTES


async def test_a_compressed_file_that_breaks_off_gives_what_it_has_and_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / "broken.gz"
    whole = gzip.compress(CONTENT + os.urandom(100_000).hex().encode())
    path.write_bytes(whole[:-60_000])
    lines: list[bytes] = []

    async def read() -> None:
        with opened_file(str(path), asyncio.Event()) as file:
            async for batch in file.lines():
                lines.extend(batch)

    with pytest.raises(BrokenInput, match=r"broken\.gz cannot be read to its end: it breaks off"):
        await read()
    assert lines == LINES[:-1]


async def test_what_comes_after_a_compressed_file_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(gzip.compress(CONTENT) + b"more")
    with pytest.raises(BrokenInput):
        await lines_of(path)


async def test_what_is_not_there_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(BrokenInput, match="No such file"):
        await lines_of(tmp_path / "none")


async def test_a_device_without_content_is_an_empty_file() -> None:
    assert await lines_of(Path("/dev/null")) == []

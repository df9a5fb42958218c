"""Load over HTTP, by wrk."""

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.processes import Server

CONNECTIONS = 128
"""Many senders, as backends have. Fewer wait for the disk together, and leave the worker idle."""
HOW_TO_GET = "wrk is not installed (Debian: apt-get install wrk; macOS: brew install wrk)"

_SCRIPT = Path(__file__).with_name("requests.lua")


def is_installed() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None


def write_requests(file: Path, requests: Iterable[tuple[str, Any]]) -> Path:
    """Write down the paths and bodies that `rate` sends."""
    lines = (f"{path}\t{msgspec.json.encode(body).decode()}\n" for path, body in requests)
    file.write_text("".join(lines))
    return file


async def rate(server: Server, requests: Path, seconds: int) -> float:
    """Requests a second over `CONNECTIONS`. Raises when any of them failed."""
    process = await asyncio.create_subprocess_exec(
        *("wrk", "--threads", "1", "--connections", str(CONNECTIONS)),
        *("--duration", f"{seconds}s", "--script", str(_SCRIPT)),
        *(server.url, "--", str(requests), server.authorization),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    result = output.decode().rpartition("\nRESULT ")[2].split()
    if process.returncode or len(result) != 3:
        raise RuntimeError(f"wrk failed: {output.decode()}")
    sent, duration_us, failed = map(int, result)
    if failed:
        raise RuntimeError(f"{failed} of {sent} requests to {server.url} failed")
    return sent / duration_us * 1_000_000

"""Processes that work until they are told to stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable


async def until_stopped(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run what ends by an event, which SIGTERM or Ctrl-C sets."""
    stop = asyncio.Event()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stopping, stop.set)
    await run(stop)

"""Serve an ASGI app on a real socket, as ``tidings serve`` does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.cli.serve import server_config
from app.http.asgi import App
from app.http.server import Server
from app.supervisor import listen

DEADLINE_S = 30


@asynccontextmanager
async def serving(served: App) -> AsyncIterator[tuple[str, int]]:
    """Where it is served, for the time of the block."""
    (listening,) = listen("127.0.0.1", 0, 1)
    server = Server(server_config(served), closing=asyncio.Event())
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield listening.getsockname()
    finally:
        server.should_exit = True
        await task

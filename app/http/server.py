"""The server: uvicorn, which ends open live streams before it waits for requests to end."""

import asyncio
import socket

import uvicorn


class Server(uvicorn.Server):
    """Stops within seconds although clients listen: uvicorn itself would wait for them to go."""

    def __init__(self, config: uvicorn.Config, *, closing: asyncio.Event) -> None:
        """Take the event that live streams end by."""
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End live streams, then stop accepting, and wait for what is being answered."""
        self._closing.set()
        await super().shutdown(sockets)

"""What Litestar gives by itself: handlers that decode a body and answer with it.

    python -m benchmarks.echo FD

serves them on a listening socket that is inherited, as a worker of ``tidings serve`` does.
"""

import asyncio
import socket
import sys
from datetime import datetime
from typing import Any, cast

import uvloop
from litestar import Litestar, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct

from app.cli.serve import server_config
from app.http.asgi import App
from app.http.server import Server


class Event(Struct):
    """The body of ``POST /v1/events``."""

    type: str
    customer_id: str
    occurred_at: datetime
    data: dict[str, Any]


class TraitChanges(Struct):
    """The body of a command."""

    traits: dict[str, Any]


@post("/v1/events")
async def echo_event(data: JSONBody[Event]) -> Event:
    """The event that was sent."""
    return data


@post("/v1/customers/{customer_id:str}/change-traits")
async def echo_command(
    customer_id: FromPath[str],  # noqa: ARG001 - parsed, as the real one parses it
    data: JSONBody[TraitChanges],
) -> TraitChanges:
    """The traits that were sent."""
    return data


@get("/health/live")
async def show_live() -> dict[str, str]:
    """That it serves."""
    return {"status": "live"}


def main(fd: int) -> None:
    """Serve until told to stop."""
    app = Litestar([echo_event, echo_command, show_live], openapi_config=None, logging_config=None)
    config = server_config(cast(App, app), http="httptools")
    server = Server(config, closing=asyncio.Event())
    uvloop.run(server.serve(sockets=[socket.socket(fileno=fd)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""A log that is there already, worked off by a reactor's process: how far it is, and how fast."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from app.eventstore.checkpoints import positions_of
from app.eventstore.database import Connection, Database, rows_of
from benchmarks.bench import Bench
from benchmarks.processes import reactor

GIVE_UP_S = 300.0
LOOK_EVERY_S = 0.005

_HEAD = "SELECT coalesce(max(position), 0) FROM events"


async def head_of(connection: Connection) -> int:
    """The position of the last event, or 0."""
    ((head,),) = await rows_of(connection, _HEAD, ())
    return int(head)


async def until_at(connection: Connection, consumer: str, position: int) -> int:
    """Wait until the consumer has come so far; where it is."""
    async with asyncio.timeout(GIVE_UP_S):
        while True:
            reached = min((await positions_of(connection, consumer)).values(), default=-1)
            if reached >= position:
                return reached
            await asyncio.sleep(LOOK_EVERY_S)


async def rate_of_backlog(
    bench: Bench,
    database: Database,
    connection: Connection,
    consumer: str,
    fill: Callable[[], Awaitable[None]],
) -> float:
    """Events a second, from the first step that was seen to the end of what `fill` has appended.

    The process's start does not count.
    """
    before = await head_of(connection)
    await fill()
    head = await head_of(connection)
    with reactor(bench, database):
        began_at = await until_at(connection, consumer, before + 1)
        began = perf_counter()
        await until_at(connection, consumer, head)
        return (head - began_at) / (perf_counter() - began)

"""How fast a projector catches up: from nothing to the end of a log that is already there."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any

from app.catalogue import CATALOGUE, UPCASTERS
from app.eventstore.checkpoints import positions_of
from app.eventstore.database import Connection, Database
from app.eventstore.parking import parked_count
from app.eventstore.wakeups import Wakeups
from projections.dropping import drop
from projections.generations import all_generations
from projections.projection import Projection
from projections.projector import Projector
from projections.session import Log

POLL_INTERVAL = timedelta(seconds=1)
LOOK_EVERY_S = 0.005
GIVE_UP_S = 1_800.0


def log_of(database: Database) -> Log:
    """The log as this code reads it."""
    return Log(database, CATALOGUE, UPCASTERS)


async def rate_of_catch_up(
    database: Database, projections: Sequence[Projection[Any]], events: int
) -> float:
    """Events of the log a second, until the last of the read models has come to its end.

    It begins with none of their tables: these are made within the time, with their indexes.
    """
    log = log_of(database)
    async with await log.connect() as connection, Wakeups(database, POLL_INTERVAL) as wakeups:
        await drop_all(connection)
        stop = asyncio.Event()
        started = perf_counter()
        projector = asyncio.create_task(Projector(log, wakeups, projections).run(stop))
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await _until_at(connection, projections, events)
            return events / (perf_counter() - started)
        finally:
            stop.set()
            await projector


async def drop_all(connection: Connection) -> None:
    """Drop every generation of every projection, however long an autovacuum is at one."""
    async with asyncio.timeout(GIVE_UP_S):
        for row in await all_generations(connection):
            while not await drop(connection, row):
                pass


async def _until_at(
    connection: Connection, projections: Sequence[Projection[Any]], position: int
) -> None:
    while not await _are_at(connection, projections, position):  # noqa: ASYNC110 - no event to await
        await asyncio.sleep(LOOK_EVERY_S)


async def _are_at(
    connection: Connection, projections: Sequence[Projection[Any]], position: int
) -> bool:
    for projection in projections:
        reached = await positions_of(connection, projection.generation(1).name)
        if not reached or min(reached.values()) < position:
            return False
        if await parked_count(connection, projection.generation(1).name):
            raise RuntimeError(f"events of {projection.name} were set aside: no figure")
    return True

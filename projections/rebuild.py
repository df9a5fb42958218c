"""Rebuild a projection from the log, beside the one that queries read.

Crash semantics: a generation that is being built has a checkpoint like any other, and is known as
building until the pointer moves. So a rebuild that dies anywhere is continued by the next one, or
by a projector that finds it: the load where it stood, an index that was not finished from its
beginning. Up to the one transaction that moves the pointer, queries see nothing of it; after it,
nothing else.

Before that, what was built is compared: with the generation that queries read, or, where none of
this definition is, with a sample made another way. One that differs is not read, unless whoever
asked for it has said that the log is right. It stays as it is, to be looked at, and the next
rebuild drops it and begins from scratch.
"""

import asyncio
from datetime import timedelta
from typing import Any, NoReturn

import structlog

from app.eventstore.checkpoints import note_error, positions_of
from app.eventstore.database import Connection
from app.kernel.errors import Refused
from projections.dropping import drop, drop_leftovers
from projections.filling import JOBS, Filling, OnProgress, Throttle, only_work_on
from projections.generations import (
    DIFFERING,
    all_generations,
    kept_up_to_date,
    next_generation,
    point_to,
    pointed_to,
    read_so_far,
    set_state,
    unbuilt,
)
from projections.levelling import Levelling
from projections.options import RebuildOptions, options_of
from projections.projection import Generation, Projection
from projections.session import Log
from projections.sharding import reshard
from projections.verification import (
    Comparison,
    GenerationsDiffer,
    OnDifferences,
    compare,
    compare_sample,
)

HANDOVER = timedelta(seconds=1)
"""How long the new generation is kept up to date here, until projectors have found it."""
NEAR_HEAD_EVENTS = 1_000
"""How far behind the log a generation may be that queries are sent back to."""
CATCH_UP_TIMEOUT = timedelta(seconds=10)
"""How long a rollback waits for projectors to bring it there."""
_CATCH_UP_POLL_S = 0.05

_log = structlog.get_logger(__name__)


async def rebuild(
    log: Log,
    projection: Projection[Any],
    *,
    on_progress: OnProgress = lambda _: None,
    on_differences: OnDifferences = lambda _: None,
    accept_differences: bool = False,
    drop_old: bool = False,
    jobs: int = JOBS,
    shards: int | None = None,
    throttle: float | None = None,
    unless_built: bool = False,
    handover: timedelta = HANDOVER,
) -> int:
    """Fill a new generation from the log, verify it, let queries read it, and answer its number.

    It is filled by so many jobs at once, a shard each, or by those that an earlier call began with;
    they apply at most `throttle` events a second together. Then its work gets `shards`: by default,
    as many as that on the generation that queries read before.

    `unless_built`: only where one was begun, or nothing is built; else the answer is the number
    of what is read. (Whoever saw that something was to be built may find it done.)

    Where it is not what it has to be, `on_differences` is told. `accept_differences`: the log is
    right, and queries read what it makes; else they go on reading the former generation.

    The generation that they read before is kept, and kept up to date, unless `drop_old`; earlier
    ones are dropped. What an earlier call was asked (`accept_differences`, `drop_old`, `throttle`)
    still holds for one that goes on where that was interrupted.

    Raises `RebuildRunning`, `GenerationsDiffer` when differences are not accepted, `UnknownEvent`
    when the log holds events that this code is too old for, `StoreUnavailable`, or a
    `psycopg.Error`; another call then continues.
    """
    connection = await log.connect(projection.shard_key)
    try:
        await only_work_on(connection, projection)
        read = await pointed_to(connection, projection)
        if unless_built and read and not await unbuilt(connection, [projection]):
            return read.number
        await drop_leftovers(connection, projection)
        asked = RebuildOptions(accept_differences, drop_old, throttle)
        generation = await next_generation(connection, projection, shards=jobs, options=asked)
        options = await options_of(connection, generation)
        filling = Filling(connection, generation, log, on_progress, Throttle(options.throttle))
        await filling.apply_to_the_end("loading")
        await filling.index()
        await filling.apply_to_the_end("catching up")
        before = await read_so_far(connection, projection)
        if shards is None and before is not None:
            shards = len(await positions_of(connection, projection.generation(before).name))
        await reshard(log, generation, projection.shards(shards or 1))
        await filling.begin("verifying")
        await _verify(log, connection, generation, on_differences)
        await filling.apply_to_the_end("catching up")
        await _send_queries_to(log, connection, generation)
        await filling.keep_up(handover)
        await _drop_older(connection, generation, keep=None if options.drop_old else before)
        return generation.number
    finally:
        await connection.close()


async def rollback(
    log: Log, projection: Projection[Any], *, patience: timedelta = CATCH_UP_TIMEOUT
) -> int:
    """Let queries read the former generation again, and answer its number.

    That is the newest other one of the same definition; it was kept up to date. Raises `Refused`
    when there is none, or when it does not come near the end of the log in time: none is kept up
    to date where no projector runs. Raises `RebuildRunning` as well.
    """
    async with await log.connect(projection.shard_key) as connection:
        await only_work_on(connection, projection)
        former = await _former(connection, projection)
        await _near_the_head(connection, former, patience)
        await _send_queries_to(log, connection, former)
        return former.number


async def _send_queries_to(log: Log, connection: Connection, generation: Generation[Any]) -> None:
    """Let queries read it from where they have read so far: nothing that they saw is missing there.

    Both generations' checkpoints are held while one is brought to the other's position and the
    pointer moves.
    """
    live = await pointed_to(connection, generation.projection)
    levelling = Levelling(connection, [generation, *([live] if live else [])], log)
    await levelling.come_near()
    async with connection.transaction():
        await levelling.level(await levelling.positions(lock=True))
        await point_to(connection, generation)


async def _verify(
    log: Log, connection: Connection, generation: Generation[Any], on_differences: OnDifferences
) -> None:
    """Compare what was built, and set it aside where it differs and that is not accepted."""
    live = await pointed_to(connection, generation.projection)
    if live is None:
        comparison = await compare_sample(log, generation)
    else:
        comparison = await compare(log, generation, live)
    if not comparison.differences:
        return
    on_differences(comparison)
    # Asked only now, for that may be said while it is being built.
    if (await options_of(connection, generation)).accept_differences:
        summary = comparison.summary
        _log.warning("differences_accepted", generation=generation.name, differences=summary)
    else:
        await _set_aside(connection, generation, comparison)


async def _set_aside(
    connection: Connection, generation: Generation[Any], comparison: Comparison
) -> NoReturn:
    way_out = f"tidings rebuild {generation.projection.name} --accept-differences"
    message = f"{comparison.summary}; if the log is right: {way_out}"
    for checkpoint in await positions_of(connection, generation.name):
        await note_error(connection, checkpoint, message)
    await set_state(connection, generation, DIFFERING)
    _log.error("generation_differs", generation=generation.name, error=message)
    raise GenerationsDiffer(message)


async def _former(connection: Connection, projection: Projection[Any]) -> Generation[Any]:
    read = await pointed_to(connection, projection)
    others = [
        generation
        for generation in await kept_up_to_date(connection, projection)
        if read is not None and generation.number != read.number
    ]
    if not others:
        raise Refused(f"{projection.name} has no former generation to go back to")
    return others[-1]


async def _near_the_head(
    connection: Connection, generation: Generation[Any], patience: timedelta
) -> None:
    """Wait until projectors have brought it there, or refuse."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience.total_seconds()
    while (lag := await _lag(connection, generation)) > NEAR_HEAD_EVENTS:
        if loop.time() >= deadline:
            raise Refused(
                f"{generation.name} is {lag:,} events behind the log; is a projector running?"
            )
        await asyncio.sleep(_CATCH_UP_POLL_S)


async def _lag(connection: Connection, generation: Generation[Any]) -> int:
    cursor = await connection.execute(
        "SELECT (SELECT coalesce(max(position), 0) FROM events) - min(position)"
        " FROM checkpoints WHERE consumer = %s",
        (generation.name,),
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def _drop_older(
    connection: Connection, generation: Generation[Any], *, keep: int | None
) -> None:
    """Drop what this generation makes superfluous; what newer code has built is not ours."""
    projection = generation.projection
    for row in await all_generations(connection):
        is_older = row.name == projection.name and row.definition_version <= projection.version
        if is_older and row.generation not in (generation.number, keep):
            await drop(connection, row)

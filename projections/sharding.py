"""How many shards a generation's work has, and changing that without loss or repetition."""

from typing import Any

from app.eventstore.checkpoints import ensure_checkpoints
from app.kernel.errors import InvalidInput
from projections.levelling import Levelling
from projections.projection import Generation
from projections.session import Log

MAX_SHARDS = 64


async def reshard(log: Log, generation: Generation[Any], shards: int) -> int:
    """Share a generation's work among so many shards, and answer the position at which.

    All its checkpoints are brought to the position of the foremost and then replaced, in one
    transaction that holds them all: an event is applied under the old shards up to that position,
    under the new ones behind it. Raises `InvalidInput` for several shards of what has one order of
    all events, `UnknownEvent` when a shard waits before an event that this code is too old for,
    `StoreUnavailable`, or a `psycopg.Error`; nothing has changed then.
    """
    projection = generation.projection
    if shards != projection.shards(shards):
        raise InvalidInput(f"{projection.name} has one shard, for it keeps all events in order")
    async with await log.connect(generation.key) as connection:
        levelling = Levelling(connection, [generation], log)
        await levelling.come_near()
        async with connection.transaction():
            position = await levelling.level(await levelling.positions(lock=True))
            await connection.execute(_FORGET, (generation.name,))
            await ensure_checkpoints(connection, generation.name, shards=shards, position=position)
    return position


_FORGET = "DELETE FROM checkpoints WHERE consumer = %s"

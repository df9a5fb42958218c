"""How many shards a generation's work has, and changing that without loss or repetition."""

import asyncio
from collections.abc import Mapping
from typing import Any

from app.eventstore.batch import Checkpoint, Claim, Span, span_of
from app.eventstore.checkpoints import ensure_checkpoints, positions_of
from app.eventstore.database import Connection
from app.kernel.errors import InvalidInput, UnknownEvent
from projections.projection import Generation
from projections.session import Log, unknown_event

MAX_SHARDS = 64
FAR_BEHIND_EVENTS = 5_000
"""A shard that is further behind the foremost comes nearer before the others wait for it."""

PAUSE_S = 0.01


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
        resharding = _Resharding(connection, generation, log)
        await resharding.come_near()
        async with connection.transaction():
            position = await resharding.level()
            await connection.execute(_FORGET, (generation.name,))
            await ensure_checkpoints(connection, generation.name, shards=shards, position=position)
    return position


_FORGET = "DELETE FROM checkpoints WHERE consumer = %s"


class _Resharding:
    def __init__(self, connection: Connection, generation: Generation[Any], log: Log) -> None:
        self._connection = connection
        self._generation = generation
        self._log = log

    async def come_near(self) -> None:
        """Apply what those that are far behind lack, in batches of their own."""
        while behind := _lags(await self._positions(), more_than=FAR_BEHIND_EVENTS):
            for checkpoint in behind:
                claim = self._claim(checkpoint, FAR_BEHIND_EVENTS)
                _refuse_unknown(await self._generation.apply(claim, self._connection))
            await asyncio.sleep(PAUSE_S)  # others are at it too

    async def level(self) -> int:
        """Hold all checkpoints, and bring them to the position of the foremost."""
        positions = await self._positions(lock=True)
        for checkpoint, lag in _lags(positions, more_than=0).items():
            claim = self._claim(checkpoint, lag)
            claimed = await claim.take(self._connection)
            await self._generation.work(self._connection)
            await claim.advance(self._connection)
            _refuse_unknown(await span_of(claimed))
        return max(positions.values())

    async def _positions(self, *, lock: bool = False) -> dict[Checkpoint, int]:
        return await positions_of(self._connection, self._generation.name, lock=lock)

    def _claim(self, checkpoint: Checkpoint, max_events: int) -> Claim:
        return Claim(checkpoint, self._log.catalogue, max_batch_events=max_events)


def _lags(positions: Mapping[Checkpoint, int], *, more_than: int) -> dict[Checkpoint, int]:
    """By how many events shards are behind the foremost: those that are by more than so many."""
    foremost = max(positions.values())
    lags = {checkpoint: foremost - position for checkpoint, position in positions.items()}
    return {checkpoint: lag for checkpoint, lag in lags.items() if lag > more_than}


def _refuse_unknown(span: Span | None) -> None:
    if span is not None and span.unknown is not None:
        raise UnknownEvent(unknown_event(span.unknown))

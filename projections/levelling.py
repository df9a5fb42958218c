"""Bringing shards to one position: those of one generation, or of several."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from app.eventstore.batch import Checkpoint, Claim, Locking, span_of
from app.eventstore.checkpoints import positions_of
from app.eventstore.consumer import Consumer
from app.eventstore.database import Connection
from app.eventstore.unknown import refuse_unknown
from projections.projection import Generation
from projections.session import Log

FAR_BEHIND_EVENTS = 5_000
"""A shard that is further behind the foremost comes nearer before the others wait for it."""
PAUSE_S = 0.01


class Levelling:
    """Brings the shards of some generations, of one projection, to the position of the foremost."""

    def __init__(
        self, connection: Connection, generations: Sequence[Generation[Any]], log: Log
    ) -> None:
        """Take a session with the relation `batch` for what is done in its transaction."""
        self._connection = connection
        self._generations = {generation.name: generation for generation in generations}
        self._log = log

    async def come_near(self) -> None:
        """Apply what those that are behind lack, in batches of their own, as a projector does.

        It ends where events are applied faster than they come: whoever has a shard works on it, or
        is cut off after 30 s. Raises `UnknownEvent`, and what a step of a consumer raises.
        """
        while behind := _lags(await self.positions(), more_than=FAR_BEHIND_EVENTS):
            await self._apply(behind)
            await asyncio.sleep(PAUSE_S)  # others are at it too
        await self._apply(_lags(await self.positions(), more_than=0))

    async def level(self, positions: Mapping[Checkpoint, int]) -> int:
        """Bring all to the position of the foremost, and answer it.

        In the open transaction. They stand at these positions, and nobody else can claim them: the
        transaction has locked them, or another one of the caller's holds them. Raises
        `UnknownEvent`, or what the work raises: here nothing is parked.
        """
        for checkpoint, lag in _lags(positions, more_than=0).items():
            claim = Claim(checkpoint, self._log.catalogue, max_batch_events=lag)
            claimed = await claim.take(self._connection, locking=Locking.BESIDE_HOLDER)
            await self._generations[checkpoint.consumer].work(self._connection)
            await claim.advance(self._connection)
            refuse_unknown(await span_of(claimed))
        return max(positions.values())

    async def positions(self, *, lock: bool = False) -> dict[Checkpoint, int]:
        """Where all shards stand; `lock`: until the transaction ends nobody else moves them."""
        found: dict[Checkpoint, int] = {}
        for name in self._generations:
            found |= await positions_of(self._connection, name, lock=lock)
        return found

    async def _apply(self, lags: Mapping[Checkpoint, int]) -> None:
        """Events that fail are parked here too, for no projector may be running."""
        for checkpoint, lag in lags.items():
            generation = self._generations[checkpoint.consumer]
            claim = Claim(
                checkpoint, self._log.catalogue, max_batch_events=min(lag, FAR_BEHIND_EVENTS)
            )
            connect = partial(self._log.connect, generation.key)
            await Consumer(claim, connect, _Batches(generation, claim, lag)).run_to_the_end()


class _Batches:
    """Applies batches until so many events have been applied, or others are at it."""

    def __init__(self, generation: Generation[Any], claim: Claim, lag: int) -> None:
        self._generation = generation
        self._claim = claim
        self._missing = lag

    async def __call__(self, connection: Connection, max_events: int) -> bool:
        span = await self._generation.apply(self._claim, connection, max_events=max_events)
        if span is None:
            return False
        refuse_unknown(span)
        self._missing -= span.upto - span.after
        return self._missing > 0


def _lags(positions: Mapping[Checkpoint, int], *, more_than: int) -> dict[Checkpoint, int]:
    """By how many events shards are behind the foremost: those that are by more than so many."""
    foremost = max(positions.values())
    lags = {checkpoint: foremost - position for checkpoint, position in positions.items()}
    return {checkpoint: lag for checkpoint, lag in lags.items() if lag > more_than}

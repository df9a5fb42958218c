"""How queries read a read model: the right generation, late enough, and nothing half-moved."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import psycopg
from sqlalchemy import Executable, Row, Select, event, func, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from app.eventstore.consumer import is_transient
from app.eventstore.database import to_its_end, unavailable
from app.eventstore.tables import checkpoints, events
from app.kernel.errors import PositionBeyondHead, ReadModelBehind, StoreUnavailable
from projections.projection import Generation, Projection
from projections.tables import pointers

POINTER_LIFETIME = timedelta(seconds=1)
MAX_TRIES = 20
"""Of one query, after a restart of the server: each takes one dead connection out of the pool."""
_FIRST_POLL_S = 0.001
_LONGEST_POLL_S = 0.05

T = TypeVar("T")

Query = Select[*tuple[Any, ...]]
AnyRow = Row[*tuple[Any, ...]]


class _Pointed(NamedTuple):
    generation: Generation[Any]
    known_at: float


class ReadModels:
    """The read models of a store."""

    def __init__(self, engine: AsyncEngine, *, min_position_timeout: timedelta) -> None:
        """Take the engine to read with, and how long a query waits for its read model."""
        self._engine = engine
        self._timeout_s = min_position_timeout.total_seconds()
        self._pointed: dict[str, _Pointed] = {}
        event.listen(engine.sync_engine, "connect", _probe_indexes_only)
        event.listen(engine.sync_engine, "handle_error", _drop_dead_connection)

    async def rows(
        self,
        projection: Projection[T],
        query: Callable[[T], Executable],
        *,
        min_position: int | None = None,
    ) -> Sequence[AnyRow]:
        """What a query answers on the generation that this code's definition reads.

        With `min_position`, on a generation that has come so far; the wait holds no connection.
        Raises `ReadModelBehind` when it does not come so far in time or is not built yet,
        `PositionBeyondHead`, or `StoreUnavailable`.
        """
        try:
            return await self._read(projection, query, min_position or 0)
        except ProgrammingError as error:
            if not isinstance(error.orig, psycopg.errors.UndefinedTable):
                raise
        self._pointed.pop(projection.name, None)  # the generation was dropped
        return await self._read(projection, query, min_position or 0)

    async def _read(
        self, projection: Projection[T], query: Callable[[T], Executable], min_position: int
    ) -> Sequence[AnyRow]:
        generation = await self._generation_at(projection, min_position)
        return await self._run(query(generation.tables))

    async def _generation(self, projection: Projection[T]) -> Generation[T]:
        """The generation that the pointer names, asked for at most once a second."""
        now = asyncio.get_running_loop().time()
        known = self._pointed.get(projection.name)
        if known and now < known.known_at + POINTER_LIFETIME.total_seconds():
            return known.generation
        rows = await self._run(
            select(pointers.c.generation).where(
                pointers.c.name == projection.name,
                pointers.c.definition_version == projection.version,
            )
        )
        if not rows:
            raise ReadModelBehind(f"the read model {projection.name} is being built")
        # The same objects as long as the pointer stays: compiled queries are found by their tables.
        if not known or known.generation.number != rows[0][0]:
            known = _Pointed(projection.generation(rows[0][0]), now)
        self._pointed[projection.name] = known._replace(known_at=now)
        return known.generation

    async def _generation_at(self, projection: Projection[T], min_position: int) -> Generation[T]:
        """The generation that the pointer names, once it has come to the position."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        poll_s = _FIRST_POLL_S
        while True:
            generation = await self._generation(projection)
            if not min_position:
                return generation
            position, head = await self._progress(generation)
            if position >= min_position:
                return generation
            if min_position > head:
                raise PositionBeyondHead(
                    f"the log ends at position {head}, before {min_position}", field="min_position"
                )
            if loop.time() >= deadline:
                raise ReadModelBehind(
                    f"the read model has come to position {position}, not to {min_position} yet"
                )
            await asyncio.sleep(poll_s)
            poll_s = min(poll_s * 2, _LONGEST_POLL_S)

    async def _progress(self, generation: Generation[Any]) -> tuple[int, int]:
        """How far the generation has come, and how far the log."""
        head = select(func.coalesce(func.max(events.c.position), 0)).scalar_subquery()
        position = select(func.coalesce(func.min(checkpoints.c.position), 0)).where(
            checkpoints.c.consumer == generation.checkpoint.consumer
        )
        [(reached, end)] = await self._run(select(position.scalar_subquery(), head))
        return reached, end

    async def _run(self, query: Executable) -> Sequence[AnyRow]:
        for tries_left in reversed(range(MAX_TRIES)):
            try:
                return await to_its_end(self._run_once(query))
            except DBAPIError as error:
                if not (error.connection_invalidated and tries_left):
                    raise _as_ours(error) from error
            except PoolTimeout as error:
                raise StoreUnavailable("no connection to the read models is free") from error
        raise AssertionError("the last try answers or raises")

    async def _run_once(self, query: Executable) -> Sequence[AnyRow]:
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).all()


def _probe_indexes_only(connection: Any, _record: object) -> None:
    """Keep a plan that was made while a table was small from reading all of it when it is large."""
    cursor = connection.cursor()
    cursor.execute("SET enable_seqscan = off")
    cursor.execute("SET jit = off")
    cursor.close()


def _drop_dead_connection(context: ExceptionContext) -> None:
    """Know a connection as dead when its end is announced, and leave the others in the pool.

    A pool that is thrown away as a whole leaves open what others have in use.
    """
    error = context.original_exception
    if isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith("57P"):
        context.is_disconnect = True
    context.invalidate_pool_on_disconnect = False


def _as_ours(error: DBAPIError) -> Exception:
    if isinstance(error.orig, psycopg.Error) and is_transient(error.orig):
        return unavailable(error.orig)
    return error

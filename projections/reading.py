"""How queries read a read model: the right generation, late enough, and nothing half-moved."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from secrets import token_bytes
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from psycopg.errors import UndefinedTable
from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, borrowing, rows_of
from app.eventstore.tables import checkpoints, events, parked_keys
from app.kernel.cursors import Cursors
from app.kernel.errors import PositionBeyondHead, ReadModelBehind
from projections.projection import DIALECT, Generation, Projection
from projections.tables import pointers

QUERY_SETTINGS = {"enable_seqscan": "off", "jit": "off"}
"""Of a pool's sessions: a plan that was made while a table was small never reads all of it."""
POINTER_LIFETIME = timedelta(seconds=1)
MAX_TEXTS = 100
"""Of one query: its shapes, on the generations that a process has read."""
_FIRST_POLL_S = 0.001
_LONGEST_POLL_S = 0.05

T = TypeVar("T")
P = ParamSpec("P")

Query = sa.Select[*tuple[Any, ...]]
AnyRow = tuple[Any, ...]

LIMIT = sa.bindparam("limit", type_=sa.Integer)


def compiled(
    compose: Callable[P, Query | sa.CompoundSelect[*tuple[Any, ...]]],
) -> Callable[P, bytes]:
    """Compose and compile a query once for its arguments: the tables, and what shapes its text.

    Its values are parameters (`bindparam`), given by name with each run. One that is composed into
    it would be that of whoever came first; the text leaves it out, so that every run fails.
    """

    def text(*tables_and_shape: P.args, **named: P.kwargs) -> bytes:
        return str(compose(*tables_and_shape, **named).compile(dialect=DIALECT)).encode()

    return cast(Callable[P, bytes], lru_cache(MAX_TEXTS)(text))


def parked(generation: str, key: sa.ColumnElement[str]) -> sa.Exists:
    """Whether a generation leaves out events of a key; its name becomes a part of the text."""
    return sa.exists().where(
        parked_keys.c.consumer == sa.literal_column(f"'{generation}'", sa.Text),
        parked_keys.c.key == key,
    )


class _Pointed(NamedTuple):
    generation: Generation[Any]
    known_until: float


class _Behind(NamedTuple):
    position: int
    head: int


async def _no_check(connection: Connection) -> None:
    pass


class ReadModels:
    """The read models of a store, on its server or on a replica of it."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        *,
        min_position_timeout: timedelta,
        head: Callable[[], Awaitable[int]] | None = None,
        check: Callable[[Connection], Awaitable[None]] = _no_check,
        cursors: Cursors | None = None,
    ) -> None:
        """Take the pool to read with (`QUERY_SETTINGS`), and how long to wait for a read model.

        With a replica's pool also take what knows the head of the log, which may not be replayed
        there yet, and what raises when a connection leads elsewhere. Pages' cursors are made by
        `cursors`; without, they are good for these read models alone, not for another process's.
        """
        self.cursors = cursors or Cursors(token_bytes())
        self._pool = pool
        self._timeout_s = min_position_timeout.total_seconds()
        self._head = head
        self._check = check
        # By connection, which leads to one server: what that has shown stays as long as it lasts,
        # while another replica, or the same one started again, may not have replayed it yet.
        self._pointed = WeakKeyDictionary[Connection, dict[str, _Pointed]]()

    async def rows(
        self,
        projection: Projection[T],
        query: Callable[[T], bytes],
        values: Mapping[str, Any],
        *,
        min_position: int | None = None,
    ) -> list[AnyRow]:
        """What a query (`compiled`) answers on the generation that this code's definition reads.

        With `min_position`, on a generation that has come so far; the wait holds no connection.
        Raises `ReadModelBehind` when it does not come so far in time or is not built yet,
        `PositionBeyondHead`, `StoreUnavailable`, or what the check raises.
        """
        try:
            return await self._read(projection, query, values, min_position or 0)
        except UndefinedTable:
            self._pointed.clear()  # the generation was dropped
        return await self._read(projection, query, values, min_position or 0)

    async def _read(
        self,
        projection: Projection[T],
        query: Callable[[T], bytes],
        values: Mapping[str, Any],
        min_position: int,
    ) -> list[AnyRow]:
        """The answer of the generation that the pointer names, once it has come to the position."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        poll_s, head = _FIRST_POLL_S, 0
        while True:
            answered = await self._ask(projection, query, values, min_position)
            if isinstance(answered, list):
                return answered
            head = max(head, answered.head)
            if min_position > head and self._head is not None:
                head = await self._head()
            if min_position > head:
                raise PositionBeyondHead(
                    f"the log ends at position {head}, before {min_position}",
                    field="min_position",
                )
            if loop.time() >= deadline:
                raise ReadModelBehind(
                    f"the read model has come to position {answered.position}, "
                    f"not to {min_position} yet"
                )
            await asyncio.sleep(poll_s)
            poll_s = min(poll_s * 2, _LONGEST_POLL_S)

    async def _ask(
        self,
        projection: Projection[T],
        query: Callable[[T], bytes],
        values: Mapping[str, Any],
        min_position: int,
    ) -> list[AnyRow] | _Behind:
        """The rows, or where the generation is that has not come to the position.

        Pointer, position and rows are asked for on one connection. A server that crashes may take
        back what a read model has shown, for its commits wait for no disk; then the connection is
        lost as well.
        """

        async def ask(connection: Connection) -> list[AnyRow] | _Behind:
            generation = await self._generation(connection, projection)
            if min_position and (behind := await _behind(connection, generation, min_position)):
                return behind
            return await rows_of(connection, query(generation.tables), values)

        return await borrowing(self._pool, ask)

    async def _generation(self, connection: Connection, projection: Projection[T]) -> Generation[T]:
        """The generation that the pointer names, asked for at most once a second."""
        pointed = self._pointed.setdefault(connection, {})
        now = asyncio.get_running_loop().time()
        known = pointed.get(projection.name)
        if known is None or now >= known.known_until:
            await self._check(connection)
            found = await _pointed_to(connection, projection)
            known = _Pointed(found, now + POINTER_LIFETIME.total_seconds())
            pointed[projection.name] = known
        return known.generation


async def _pointed_to(connection: Connection, projection: Projection[T]) -> Generation[T]:
    values = {"name": projection.name, "version": projection.version}
    try:
        rows = await rows_of(connection, _pointer(), values)
    except UndefinedTable as error:  # a replica that has not replayed the first migration
        raise ReadModelBehind("the store's tables are not there yet") from error
    if not rows:
        raise ReadModelBehind(f"the read model {projection.name} is being built")
    return _generation_of(projection, rows[0][0])


@lru_cache(MAX_TEXTS)
def _generation_of(projection: Projection[T], number: int) -> Generation[T]:
    """The same objects each time: queries' texts are found by their tables."""
    return projection.generation(number)


async def _behind(
    connection: Connection, generation: Generation[Any], min_position: int
) -> _Behind | None:
    """Where the generation and the log are, as long as it has not come to the position."""
    values = {"consumer": generation.name}
    [row] = await rows_of(connection, _reached_and_head(), values)
    reached = _Behind(*row)
    return reached if reached.position < min_position else None


@compiled
def _pointer() -> Query:
    return sa.select(pointers.c.generation).where(
        pointers.c.name == sa.bindparam("name"),
        pointers.c.definition_version == sa.bindparam("version"),
    )


@compiled
def _reached_and_head() -> Query:
    """How far a generation has come, and how far the log."""
    nothing: sa.ColumnElement[int] = sa.literal_column("0")
    reached = sa.select(sa.func.coalesce(sa.func.min(checkpoints.c.position), nothing)).where(
        checkpoints.c.consumer == sa.bindparam("consumer")
    )
    head = sa.select(sa.func.coalesce(sa.func.max(events.c.position), nothing))
    return sa.select(reached.scalar_subquery(), head.scalar_subquery())

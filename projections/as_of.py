"""As-of queries: what read models would have said of a customer when the log ended earlier.

A projection's tables are made as temporary ones, `apply.sql` runs over the customer's events up to
then, the query that live read models are asked with is asked of them, and all is rolled back.

The sessions are a pool's of their own. Nothing is prepared in them and nothing live is run there:
what is prepared on temporary tables could write into live ones later, and the other way round.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Generic, TypeVar

import psycopg
from psycopg.errors import QueryCanceled
from psycopg_pool import AsyncConnectionPool

from app.eventstore.batch import batch_text
from app.eventstore.database import Connection, Database, borrowing, fetch, rows_of, sql
from app.eventstore.failures import is_mistake, is_transient
from app.eventstore.unknown import refuse_unknown_in_batch
from app.eventstore.upcasting import Upcaster
from app.kernel.errors import PositionBeyondHead, ReadModelBehind, StoreUnavailable
from projections.generations import read_so_far
from projections.projection import Projection, TableSet
from projections.reading import QUERY_SETTINGS, AnyRow
from projections.session import Log

LONGEST_STATEMENT = timedelta(seconds=10)
MAX_SESSIONS = 4
_SETTINGS = {
    **QUERY_SETTINGS,
    "idle_in_transaction_session_timeout": "30s",
    "default_transaction_isolation": r"repeatable\ read",  # one snapshot for all that is applied
}

_PACKAGE = "app.eventstore"
_SUFFIX = "_asof"
_MAX_PROJECTIONS = 100
_HEAD = "SELECT coalesce(max(position), 0) FROM events"
_POSITION_AT = "SELECT position_at(%s)"

Moment = int | datetime
"""A position; or a time with an offset, which means all that was recorded by then."""

T = TypeVar("T")


class Past:
    """What the read models would have said of one customer when the log ended at a position."""

    def __init__(
        self, log: Log, pool: AsyncConnectionPool[Connection], customer_id: str, position: int
    ) -> None:
        """Made by `PastModels.of`, which says what they are."""
        self._log = log
        self._pool = pool
        self._customer_id = customer_id
        self.position = position

    async def rows(
        self,
        projection: Projection[T],
        query: Callable[[T], bytes],
        values: Mapping[str, Any],
        *,
        people: Callable[[T], bytes],
    ) -> list[AnyRow]:
        """What a query (`compiled`) would have answered, if it asks for nobody else.

        `people` is a query for the ids of the visitors that the parameter ``customer_id`` turned
        out to be; it may answer that id, too. Raises `UnknownEvent`, `StoreUnavailable`, or
        `ReadModelBehind` when the events cannot be applied.
        """
        temporary: _Temporary[T] = _temporary(projection, tuple(self._log.upcasters))
        tables = temporary.tables.tables

        async def ask(connection: Connection) -> list[AnyRow]:
            try:
                async with connection.transaction(force_rollback=True):
                    await connection.execute(temporary.create)
                    await self._fill(connection, temporary.tables, people(tables))
                    await connection.execute(temporary.create_indexes)
                    return await rows_of(connection, query(tables), values)
            except QueryCanceled as error:
                raise StoreUnavailable("the past takes too long to compute") from error

        return await borrowing(self._pool, ask)

    async def _fill(self, connection: Connection, tables: TableSet[Any], people: bytes) -> None:
        """Apply what the customer did, and then the visitors that it was linked to thereby."""
        await self._apply(connection, tables, [self._customer_id])
        linked = await rows_of(connection, people, {"customer_id": self._customer_id})
        visitors = {row[0] for row in linked} - {self._customer_id}
        if visitors:
            await self._apply(connection, tables, sorted(visitors))

    async def _apply(
        self, connection: Connection, tables: TableSet[Any], customer_ids: Sequence[str]
    ) -> None:
        """Apply the customers' events, but for those that the live read model has set aside."""
        projection = tables.projection
        live = await read_so_far(connection, projection)
        batch = {
            "consumer": projection.generation(live).name if live else "",
            "customer_ids": customer_ids,
            "position": self.position,
        }
        await connection.execute(sql(_PACKAGE, "choose_batch_as_of"), batch)
        await refuse_unknown_in_batch(connection, self._log.catalogue)
        try:
            await tables.work(connection)
        except (psycopg.Error, ValueError) as error:
            if is_transient(error) or is_mistake(error):
                raise
            raise ReadModelBehind(
                f"an event up to position {self.position} cannot be applied to {projection.name}"
            ) from error


def past_pool(
    database: Database,
    *,
    max_size: int = MAX_SESSIONS,
    longest_statement: timedelta = LONGEST_STATEMENT,
) -> AsyncConnectionPool[Connection]:
    """A pool, still closed, of sessions for as-of queries alone, which never prepare a statement.

    The database is the primary: replicas have no temporary tables.
    """
    timeout_ms = longest_statement // timedelta(milliseconds=1)
    settings = {**_SETTINGS, "statement_timeout": str(timeout_ms)}
    return database.pool(max_size=max_size, settings=settings, prepares=False)


class PastModels:
    """The read models of a store as they were."""

    def __init__(self, log: Log, pool: AsyncConnectionPool[Connection]) -> None:
        """Take the log, and a `past_pool` on it."""
        self._log = log
        self._pool = pool

    async def of(self, customer_id: str, moment: Moment, *, field: str) -> Past:
        """A customer's past; the field is where the moment came from.

        Before the first event nothing was there; after the last, the past is what is so far.
        Raises `PositionBeyondHead` or `StoreUnavailable`.
        """
        return Past(self._log, self._pool, customer_id, await self._position(moment, field))

    async def _position(self, moment: Moment, field: str) -> int:
        if isinstance(moment, datetime):
            [(position,)] = await fetch(self._pool, _POSITION_AT, (moment,))
            return int(position)
        [(head,)] = await fetch(self._pool, _HEAD, ())
        if moment > head:
            raise PositionBeyondHead(
                f"the log ends at position {head}, before {moment}", field=field
            )
        return moment


@dataclass(frozen=True)
class _Temporary(Generic[T]):
    """A projection's temporary tables, and what makes them in a transaction."""

    tables: TableSet[T]
    create: bytes
    """And the relations `batch` and, in place of the live ones, `parked_keys`."""
    create_indexes: bytes


@lru_cache(_MAX_PROJECTIONS)
def _temporary(projection: Projection[Any], upcasters: tuple[Upcaster, ...]) -> _Temporary[Any]:
    tables = TableSet(projection, _SUFFIX)
    batch = batch_text("batch_as_of", upcasters, key=projection.shard_key)
    parked = sql(_PACKAGE, "parked_as_of").replace("{consumer}", f"{projection.name}{_SUFFIX}")
    return _Temporary(
        tables,
        ";\n".join([batch, parked, *tables.create_tables(temporary=True)]).encode(),
        ";\n".join(tables.create_indexes()).encode(),
    )

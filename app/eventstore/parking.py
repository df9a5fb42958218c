"""Keys that are parked: their events are left out, from one that failed on, until they are retried.

Events of one key are worked on in order, so what comes after a failure has to wait with it; other
keys' events go on. Retrying works on all of the key's events up to the checkpoint, in order and in
one transaction, or in several where one would take too long. Each holds the checkpoint: nothing of
the key can come in between. Where that fails, the events before the one that fails are worked on,
and the key stays parked from there.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct
from psycopg.rows import class_row

from app.eventstore.batch import Work
from app.eventstore.checkpoints import storable
from app.eventstore.database import Connection, sql
from app.eventstore.failures import is_mistake, is_transient
from app.kernel.errors import NotFound, named_line

MAX_PARKED_KEYS = 1_000
"""Of one consumer. When more fail, it is hardly by their events: the consumer stops before them."""


class ParkedKey(Struct, frozen=True):
    """A key that a consumer leaves out."""

    consumer: Annotated[str, Meta(examples=["timeline_g1"])]
    key: Annotated[str, Meta(examples=["anna"])]
    position: Annotated[int, Meta(examples=[1042])]
    """Of the first event that is left out."""
    error: Annotated[
        str, Meta(examples=["DatatypeMismatch: a number is wanted, and this is a text"])
    ]
    parked_at: datetime


Tell = Callable[[ParkedKey, str | None], None]
"""Is told of a key, as it was parked before, and why it still is; None: it is not."""


class _Stretch(NamedTuple):
    """Positions that a parked key's `batch` is cut from; it may be empty."""

    first: int
    upto: int
    """Inclusive, as they both are."""
    end: int
    """Of what is left out: the checkpoint."""


_COUNT = "SELECT count(*) FROM parked_keys WHERE consumer = %s"
_LIST = """
SELECT consumer, key, position, error, parked_at FROM parked_keys WHERE consumer = ANY (%s)
ORDER BY consumer, position
"""
_RESUME = "DELETE FROM parked_keys WHERE consumer = %(consumer)s AND key = %(key)s"
_STAY = """
UPDATE parked_keys SET position = %(position)s WHERE consumer = %(consumer)s AND key = %(key)s
"""
_SKIP = """
INSERT INTO skipped_events (consumer, position) VALUES (%(consumer)s, %(position)s)
ON CONFLICT DO NOTHING
"""
# What is skipped stays so, also when the next event fails.
_STILL_FAILS = """
WITH parked AS (
    UPDATE parked_keys SET position = %(position)s, error = %(error)s
    WHERE consumer = %(consumer)s AND key = %(key)s AND position = %(at)s
    RETURNING consumer
)
INSERT INTO skipped_events (consumer, position)
SELECT consumer, %(at)s FROM parked WHERE %(skipped)s = 1
ON CONFLICT DO NOTHING
"""


async def parked_count(connection: Connection, consumer: str) -> int:
    """How many keys a consumer has left out."""
    row = await (await connection.execute(_COUNT, (consumer,))).fetchone()
    return row[0] if row else 0


async def parked_keys(connection: Connection, consumers: Sequence[str]) -> list[ParkedKey]:
    """Those that consumers have left out, by the first event of each."""
    async with connection.cursor(row_factory=class_row(ParkedKey)) as cursor:
        await cursor.execute(_LIST, (list(consumers),))
        return await cursor.fetchall()


async def take_up(
    connection: Connection,
    works: Mapping[str, Work],
    called: str,
    *,
    tell: Tell,
    key: str | None = None,
    skip: bool = False,
    at_once: int | None = None,
) -> None:
    """Resume a key, or all, of consumers, each by its work; each key is told of when it is done.

    Raises `NotFound` when nobody of them has parked the key; and what is no fault of events.
    """
    parked = [
        each
        for each in await parked_keys(connection, list(works))
        if key is None or each.key == key
    ]
    if key is not None and not parked:
        raise NotFound(f"{called} has not parked {key!r}")
    for each in parked:
        work = works[each.consumer]
        tell(each, await _outcome_of(connection, each, work, skip=skip, at_once=at_once))


async def _outcome_of(
    connection: Connection, parked: ParkedKey, work: Work, *, skip: bool, at_once: int | None
) -> str | None:
    """Resume a key; why it is still parked."""
    consumer, key = parked.consumer, parked.key
    try:
        await resume(connection, consumer, key, work, skip=skip, at_once=at_once)
    except NotFound:  # somebody else was faster
        keys = await parked_keys(connection, [consumer])
        is_parked = key in {each.key for each in keys}
        return "somebody else is taking it up" if is_parked else None
    except Exception as error:
        if is_transient(error):
            raise
        return named_line(error)
    return None


async def resume(
    connection: Connection,
    consumer: str,
    key: str,
    work: Work,
    *,
    skip: bool = False,
    at_once: int | None = None,
) -> None:
    """Work on what was left out of a key (`skip`: but for its first event), and leave out no more.

    `connection` is a session with the relation `batch`; `at_once`: how many positions it has at the
    most, in a transaction each (None: all that there are). Raises `NotFound` when the key is not
    parked, or is taken up by somebody else meanwhile; or what the work raises: the key is then
    parked from the event that fails, or as it was, where the failure is not an event's.
    """
    values: dict[str, Any] = {"consumer": consumer, "key": key, "skipped": int(skip)}
    values |= {"at": None, "positions": at_once}
    while True:
        stretch = None
        try:
            async with connection.transaction():
                stretch = await _claim(connection, values)
                await work(connection)
                await _leave(connection, values, stretch)
                if values["skipped"]:
                    skipped = {"position": stretch.first - 1}
                    await connection.execute(_SKIP, values | skipped)
        except Exception as error:
            says_nothing_of_the_events = is_transient(error) or is_mistake(error)
            if stretch is None or connection.closed or says_nothing_of_the_events:
                raise
            # From now on as it was parked then, or not at all: what others have done stays.
            values["at"] = stretch.first - values["skipped"]
            size = stretch.upto - stretch.first + 1
            if size <= 1:
                failed = {"position": stretch.first, "error": storable(named_line(error))}
                await connection.execute(_STILL_FAILS, values | failed)
                raise
            values["positions"] = size // 2
        else:
            if stretch.upto >= stretch.end:
                return
            size = stretch.upto - stretch.first + 1
            positions = min(2 * size, at_once or 2 * size)
            values |= {"skipped": 0, "at": stretch.upto + 1, "positions": positions}


async def _claim(connection: Connection, values: dict[str, Any]) -> _Stretch:
    cursor = await connection.execute(sql("app.eventstore", "claim_parked"), values)
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"{values['consumer']} has not parked {values['key']!r}")
    return _Stretch(*row[:3])


async def _leave(connection: Connection, values: dict[str, Any], stretch: _Stretch) -> None:
    """Leave out no more, or only what comes behind the stretch."""
    if stretch.upto >= stretch.end:
        await connection.execute(_RESUME, values)
    else:
        await connection.execute(_STAY, {**values, "position": stretch.upto + 1})

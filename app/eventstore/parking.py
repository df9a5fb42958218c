"""Keys that are parked: their events are left out, from one that failed on, until they are retried.

Events of one key are worked on in order, so what comes after a failure has to wait with it; other
keys' events go on. Retrying works on all of the key's events up to the checkpoint, in order and in
one transaction, which holds the checkpoint: nothing of the key can come in between.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct
from psycopg import Error
from psycopg.rows import class_row

from app.eventstore.batch import Work
from app.eventstore.checkpoints import storable
from app.eventstore.database import Connection, sql
from app.kernel.errors import NotFound

MAX_PARKED_KEYS = 1_000
"""Of one consumer. When more fail, it is hardly by their events: the consumer stops before them."""


class ParkedKey(Struct, frozen=True):
    """A key that a consumer leaves out."""

    consumer: Annotated[str, Meta(examples=["timeline_g1"])]
    key: Annotated[str, Meta(examples=["anna"])]
    position: Annotated[int, Meta(examples=[1042])]
    """Of the first event that is left out."""
    error: str
    parked_at: datetime


_COUNT = "SELECT count(*) FROM parked_keys WHERE consumer = %s"
_LIST = """
SELECT consumer, key, position, error, parked_at FROM parked_keys WHERE consumer = ANY (%s)
ORDER BY consumer, position
"""
_RESUME = """
DELETE FROM parked_keys WHERE consumer = %(consumer)s AND key = %(key)s
"""
_STILL_FAILS = "UPDATE parked_keys SET error = %s WHERE consumer = %s AND key = %s"


async def parked_count(connection: Connection, consumer: str) -> int:
    """How many keys a consumer has left out."""
    row = await (await connection.execute(_COUNT, (consumer,))).fetchone()
    return row[0] if row else 0


async def parked_keys(connection: Connection, consumers: Sequence[str]) -> list[ParkedKey]:
    """Those that consumers have left out, by the first event of each."""
    async with connection.cursor(row_factory=class_row(ParkedKey)) as cursor:
        await cursor.execute(_LIST, (list(consumers),))
        return await cursor.fetchall()


async def resume(
    connection: Connection, consumer: str, key: str, work: Work, *, skip: bool = False
) -> None:
    """Work on what was left out of a key (`skip`: but for its first event), and leave out no more.

    `connection` is a session with the relation `batch`. Raises `NotFound` when the key is not
    parked, or what the work raises: then nothing has changed but the error that is shown.
    """
    try:
        async with connection.transaction():
            values = {"consumer": consumer, "key": key, "skipped": int(skip)}
            cursor = await connection.execute(sql("app.eventstore", "claim_parked"), values)
            if await cursor.fetchone() is None:
                raise NotFound(f"{consumer} has not parked {key!r}")
            await work(connection)
            await connection.execute(_RESUME, values)
    except (Error, ValueError) as error:
        if not connection.closed:
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            await connection.execute(_STILL_FAILS, (storable(message), consumer, key))
        raise

"""A new epoch: all living data keys wrapped under another master key."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, Database, fetch
from app.kernel.cipher import KeyManagement
from app.security.ciphers.data_keys import bound_to, fetch_nothing
from app.security.ciphers.master_key import WrongMasterKey

CATEGORY = "rewrap"
KEYS_A_STATEMENT = 1_000

_LOCK = "SELECT pg_advisory_lock(hashtextextended('rewrap ' || current_schema(), 0))"
# Waits for whoever makes keys under the old epoch, and whoever comes later makes none there.
_MOVE_ON = """
INSERT INTO key_epoch (epoch) VALUES (%(epoch)s)
ON CONFLICT (one_row) DO UPDATE SET epoch = excluded.epoch
"""
_OLD = """
SELECT customer_id, epoch, wrapped FROM data_keys
WHERE wrapped IS NOT NULL AND epoch <> %(epoch)s LIMIT %(limit)s
"""
# A key that was destroyed, or wrapped by somebody else, meanwhile stays as it is.
_REWRAP = """
UPDATE data_keys AS key SET wrapped = new.wrapped, epoch = %(epoch)s
FROM unnest(%(ids)s::text[], %(old)s::bytea[], %(wrapped)s::bytea[])
    AS new (customer_id, old, wrapped)
WHERE key.customer_id = new.customer_id AND key.wrapped = new.old
"""


@asynccontextmanager
async def alone(database: Database) -> AsyncIterator[None]:
    """For the time of the block nobody else rewraps: of two new master keys, each would be written
    over the other, and what it has wrapped would be lost. Waits for whoever is at it.
    """
    async with await database.connect() as connection:
        await connection.execute(_LOCK)
        yield


async def rewrap(pool: AsyncConnectionPool[Connection], masters: KeyManagement, store: str) -> int:
    """Wrap all data keys under the masters' epoch, which is the store's from then on; how many.

    Others go on sealing and opening meanwhile. Interrupted, it is begun again. Raises
    `WrongMasterKey` for a data key whose own epoch the masters do not know.
    """
    await fetch_nothing(pool, _MOVE_ON, {"epoch": masters.epoch})
    values: dict[str, object] = {"epoch": masters.epoch, "limit": KEYS_A_STATEMENT}
    rewrapped = 0
    while rows := await fetch(pool, _OLD, values):
        new = [_rewrapped(row, masters, store) for row in rows]
        ids, _, old = map(list, zip(*rows, strict=True))
        await fetch_nothing(
            pool, _REWRAP, {"epoch": masters.epoch, "ids": ids, "old": old, "wrapped": new}
        )
        rewrapped += len(rows)
    return rewrapped


def _rewrapped(row: Sequence[Any], masters: KeyManagement, store: str) -> bytes:
    customer_id, epoch, wrapped = row
    bound = bound_to(store, customer_id)
    key = masters.unwrap(epoch, wrapped, bound)
    if key is None:
        raise WrongMasterKey
    return masters.wrap(key, bound)

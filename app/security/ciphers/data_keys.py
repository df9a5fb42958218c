"""The data keys of a store's customers, in their table and, unwrapped, in this process's memory.

A key that another process destroys is forgotten here within `LOOKED_AFTER_S` of the next use.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from time import monotonic
from typing import LiteralString

from psycopg_pool import AsyncConnectionPool

from app.eventstore.database import Connection, fetch, to_its_end
from app.kernel.cipher import KeyManagement
from app.security.ciphers.data_key import DATA_KEY_BYTES, DataKey
from app.security.ciphers.master_key import WrongMasterKey

MAX_KEYS_IN_MEMORY = 50_000
MAX_KEYS_A_STATEMENT = 1_000
MAX_ATTEMPTS = 5
LOOKED_AFTER_S = 2.0
MEMORY_LASTS_S = 50.0
"""After so long without a look all is forgotten, for a look reaches back a minute."""

_FIND = "SELECT customer_id, epoch, wrapped FROM data_keys WHERE customer_id = ANY (%(ids)s)"
# A row of key_epoch that has changed meanwhile is looked at again once its lock is free: no key is
# ever made under an epoch that is being left.
_FIND_OR_MAKE = """
WITH missing AS MATERIALIZED (
    SELECT new.customer_id, new.wrapped
    FROM unnest(%(ids)s::text[], %(wrapped)s::bytea[]) AS new (customer_id, wrapped)
    WHERE NOT EXISTS (SELECT FROM data_keys AS old WHERE old.customer_id = new.customer_id)
), current AS MATERIALIZED (
    SELECT epoch FROM key_epoch WHERE epoch = %(epoch)s AND EXISTS (SELECT FROM missing) FOR SHARE
), made AS (
    INSERT INTO data_keys (customer_id, epoch, wrapped)
    SELECT missing.customer_id, current.epoch, missing.wrapped FROM missing CROSS JOIN current
    ORDER BY missing.customer_id
    ON CONFLICT DO NOTHING
    RETURNING customer_id, epoch, wrapped
)
SELECT customer_id, epoch, wrapped FROM made
UNION ALL
SELECT customer_id, epoch, wrapped FROM data_keys WHERE customer_id = ANY (%(ids)s)
"""
_BEGIN = """
INSERT INTO key_epoch (epoch) SELECT %(epoch)s
WHERE NOT EXISTS (SELECT FROM data_keys WHERE wrapped IS NOT NULL) ON CONFLICT DO NOTHING
"""
_EPOCH = "SELECT epoch FROM key_epoch"
_DESTROYED = """
SELECT customer_id FROM data_keys WHERE destroyed_at > clock_timestamp() - interval '1 minute'
"""
DESTROY = """
INSERT INTO data_keys AS key (customer_id, epoch, destroyed_at)
SELECT customer_id, '', clock_timestamp() FROM unnest(%(ids)s::text[]) AS gone (customer_id)
ORDER BY customer_id
ON CONFLICT (customer_id) DO UPDATE SET
    wrapped = NULL, epoch = '', destroyed_at = coalesce(key.destroyed_at, excluded.destroyed_at)
"""
"""Destroys keys, for ever: the rows stay, empty, and no key is made in their place."""


class DataKeys:
    """Finds, makes and destroys data keys."""

    def __init__(
        self, pool: AsyncConnectionPool[Connection], masters: KeyManagement, store: str
    ) -> None:
        """Take connections to the store's own server, what wraps keys, and the store's schema."""
        self._pool = pool
        self._masters = masters
        self._store = store
        self._known: OrderedDict[str, DataKey | None] = OrderedDict()
        self._looked_at = monotonic()
        self._looking: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Wrap under the store's epoch; a new store takes ours. Raises `WrongMasterKey`."""
        await fetch_nothing(self._pool, _BEGIN, {"epoch": self._masters.epoch})
        await self._use_epoch()

    async def of(self, customer_ids: Iterable[str]) -> Mapping[str, DataKey | None]:
        """The keys of those who have one; None for one that was destroyed, or was never made.

        Raises `WrongMasterKey` or `StoreUnavailable`.
        """
        return await self._keys(customer_ids, make=False)

    async def of_all(self, customer_ids: Iterable[str]) -> Mapping[str, DataKey | None]:
        """The same, made where there was none; None only for one that was destroyed."""
        return await self._keys(customer_ids, make=True)

    async def destroy(self, *customer_ids: str) -> None:
        """Destroy the keys: what they have sealed is gone, and nobody gets a new one."""
        await fetch_nothing(self._pool, DESTROY, {"ids": sorted(set(customer_ids))})
        for customer_id in customer_ids:
            self.forget(customer_id)

    async def destroy_in(self, connection: Connection, customer_id: str) -> None:
        """Destroy the key in the open transaction of a connection.

        Whoever reads it before the commit may keep it until the next look for destroyed ones.
        """
        await connection.execute(DESTROY, {"ids": [customer_id]})
        self.forget(customer_id)

    def forget(self, customer_id: str) -> None:
        """Keep the key in this process's memory no longer."""
        self._known.pop(customer_id, None)

    def at_hand(self, customer_ids: Collection[str]) -> Mapping[str, DataKey | None] | None:
        """The same as `of_all`, when nothing has to be waited for."""
        if self._is_to_look:
            return None
        found = self._in_memory(customer_ids)
        return found if len(found) == len(customer_ids) else None

    async def _keys(
        self, customer_ids: Iterable[str], *, make: bool
    ) -> Mapping[str, DataKey | None]:
        ids = set(customer_ids)
        if self._is_to_look:
            await self._look_once()
        found = self._in_memory(ids)
        if missing := sorted(ids - found.keys()):
            for start in range(0, len(missing), MAX_KEYS_A_STATEMENT):
                found |= await self._fetch(missing[start : start + MAX_KEYS_A_STATEMENT], make=make)
        return found

    def _in_memory(self, customer_ids: Iterable[str]) -> dict[str, DataKey | None]:
        found = {}
        for customer_id in customer_ids:
            if customer_id in self._known:
                self._known.move_to_end(customer_id)
                found[customer_id] = self._known[customer_id]
        return found

    async def _fetch(self, ids: Collection[str], *, make: bool) -> dict[str, DataKey | None]:
        """From the table. A key that somebody makes meanwhile is only seen when asked again."""
        found: dict[str, DataKey | None] = {}
        for _ in range(MAX_ATTEMPTS):
            wanted = [customer_id for customer_id in ids if customer_id not in found]
            values: dict[str, object] = {"ids": wanted}
            if make:
                made = [self._wrapped(customer_id) for customer_id in wanted]
                values |= {"wrapped": made, "epoch": self._masters.epoch}
            for customer_id, epoch, wrapped in await fetch(
                self._pool, _FIND_OR_MAKE if make else _FIND, values
            ):
                found[customer_id] = self._unwrapped(customer_id, epoch, wrapped)
            self._remember(found)
            if not make:
                return {customer_id: found.get(customer_id) for customer_id in ids}
            if len(found) == len(ids):
                return found
            await self._use_epoch()
        raise WrongMasterKey

    async def _use_epoch(self) -> None:
        rows = await fetch(self._pool, _EPOCH, ())
        if not rows or not self._masters.use(rows[0][0]):
            raise WrongMasterKey

    def _wrapped(self, customer_id: str) -> bytes:
        return self._masters.wrap(os.urandom(DATA_KEY_BYTES), bound_to(self._store, customer_id))

    def _unwrapped(self, customer_id: str, epoch: str, wrapped: bytes | None) -> DataKey | None:
        if wrapped is None:
            return None
        key = self._masters.unwrap(epoch, wrapped, bound_to(self._store, customer_id))
        if key is None:
            raise WrongMasterKey
        return DataKey(key, self._store, customer_id)

    def _remember(self, keys: Mapping[str, DataKey | None]) -> None:
        self._known.update(keys)
        while len(self._known) > MAX_KEYS_IN_MEMORY:
            self._known.popitem(last=False)

    @property
    def _is_to_look(self) -> bool:
        """Whether others may have destroyed keys since this process last looked."""
        return monotonic() - self._looked_at > LOOKED_AFTER_S

    async def _look_once(self) -> None:
        """Forget what was destroyed elsewhere; those who come at a time share one look."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await to_its_end(self._looking)

    async def _look(self) -> None:
        started = monotonic()
        if started - self._looked_at > MEMORY_LASTS_S:
            self._known.clear()
        for (customer_id,) in await fetch(self._pool, _DESTROYED, ()):
            self.forget(customer_id)
        self._looked_at = started


def bound_to(store: str, customer_id: str) -> bytes:
    """What a wrapped data key is bound to."""
    return f"data key\x1f{store}\x1f{customer_id}".encode()


async def fetch_nothing(
    pool: AsyncConnectionPool[Connection], statement: LiteralString, values: Mapping[str, object]
) -> None:
    """Run a statement that answers no rows."""
    await fetch(pool, f"WITH done AS ({statement} RETURNING 1) SELECT count(*) FROM done", values)

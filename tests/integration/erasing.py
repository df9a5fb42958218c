"""Erases a customer in a process of its own, which kills itself at a step: run as a module."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from uuid import UUID

from app.catalogue import CATALOGUE
from app.eventstore.codec import Codec
from app.eventstore.database import Connection, Database
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.kernel.event import Metadata, RecordedEvent
from app.modules.customers.erasure import DataKeys, Erasures
from app.modules.customers.receipts import Receipt, Receipts

SECRET = b"a secret of the tests, long enough"
STEPS = ("before the keys", "between the keys", "behind the keys", "behind the commit")


class KeyTable:
    """Data keys in a table of the tests."""

    async def destroy_in(self, connection: Connection, customer_id: str) -> None:
        await connection.execute("DELETE FROM test_keys WHERE customer_id = %s", (customer_id,))


class _Killing(KeyTable):
    """Ends the process at a step; there are two keys."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._destroyed = 0

    async def destroy_in(self, connection: Connection, customer_id: str) -> None:
        self.at(STEPS[self._destroyed])
        await super().destroy_in(connection, customer_id)
        self._destroyed += 1
        if self._destroyed == 2:
            self.at(STEPS[2])

    def at(self, step: str) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


def erasures_of(store: PostgresEventStore, keys: DataKeys) -> Erasures:
    return Erasures(store, Codec(CATALOGUE), keys, Receipts(SECRET))


async def erase(
    store: PostgresEventStore, customer_id: str, keys: DataKeys | None = None
) -> Receipt:
    """Erase, and destroy keys in the tests' table."""
    metadata = Metadata(actor="test", request_id="req-1")
    return await erasures_of(store, keys or KeyTable()).erase(customer_id, metadata)


async def _main(url: str, customer_id: str, step: str) -> None:
    keys = _Killing(step)
    database = Database(url, accept_data_loss=True)
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as store:
        find = store.find

        async def find_or_die(event_id: UUID) -> RecordedEvent | None:
            found = await find(event_id)
            if found is not None:
                keys.at("behind the commit")
            return found

        store.find = find_or_die  # type: ignore[method-assign] # where the process dies
        await erase(store, customer_id, keys)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))

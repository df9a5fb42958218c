"""Clients that go away while they are answered: their requests are cancelled anywhere."""

import asyncio
import random
from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore, opened_store

pytestmark = pytest.mark.anyio

CONNECTIONS = 2
READERS = 12
ROUNDS = 60
SEED = 11


async def read_for_ever(store: PostgresEventStore) -> None:
    while True:
        await store.head()


async def test_cancelled_reads_end_and_leave_every_connection_to_others(database: Database) -> None:
    rng = random.Random(SEED)
    async with opened_store(
        database, poll_interval=timedelta(seconds=1), max_pool_size=CONNECTIONS
    ) as store:
        for _ in range(ROUNDS):
            readers = [asyncio.create_task(read_for_ever(store)) for _ in range(READERS)]
            for reader in readers:
                await asyncio.sleep(rng.uniform(0, 0.002))
                reader.cancel()
            _, going_on = await asyncio.wait(readers, timeout=30)
            assert not going_on
        async with asyncio.timeout(30):
            while store.pool.get_stats()["pool_available"] < CONNECTIONS:
                await asyncio.sleep(0.01)

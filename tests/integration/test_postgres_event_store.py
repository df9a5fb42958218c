"""The event store on PostgreSQL keeps the contract."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.eventstore.port import EventStore
from app.eventstore.postgres import opened_store
from tests.contracts.event_store import *  # noqa: F403 - the suite
from tests.contracts.event_store import Bury

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as opened:
        yield opened


@pytest.fixture
def bury(database: Database) -> Bury:
    async def bury_one(customer_id: str) -> None:
        async with await database.connect() as connection:
            await connection.execute("INSERT INTO tombstones VALUES (%s, now())", (customer_id,))

    return bury_one

"""A process on a store of its own."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore, opened_store
from tests.integration.quarantine.worker import Worker, worker_of


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresEventStore]:
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as store:
        yield store


@pytest.fixture
async def worker(store: PostgresEventStore) -> Worker:
    return worker_of(store)

"""A store on PostgreSQL, opened for one test."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.eventstore.postgres import PostgresEventStore, opened_store


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresEventStore]:
    """It polls every five seconds, so what is quicker than that was woken."""
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as opened:
        yield opened

"""Commands are executed over PostgreSQL as promised, by two processes' worth of stores."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.eventstore.execute import Executor
from app.eventstore.postgres import PostgresEventStore, opened_store
from tests.contracts.executor import *  # noqa: F403 - the suite
from tests.contracts.idempotency import *  # noqa: F403 - the suite
from tests.controls.counters import codec

pytestmark = pytest.mark.anyio


@pytest.fixture
async def executors(
    database: Database, store: PostgresEventStore
) -> AsyncIterator[tuple[Executor, Executor]]:
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as elsewhere:
        yield Executor(store, codec), Executor(elsewhere, codec)

"""Commands are executed over the store in memory as promised."""

import pytest

from app.eventstore.execute import Executor
from app.eventstore.memory import InMemoryEventStore
from app.eventstore.port import EventStore
from tests.contracts.executor import *  # noqa: F403 - the suite
from tests.contracts.idempotency import *  # noqa: F403 - the suite
from tests.controls.counters import codec

pytestmark = pytest.mark.anyio


@pytest.fixture
def store() -> EventStore:
    return InMemoryEventStore()


@pytest.fixture
def executors(store: EventStore) -> tuple[Executor, Executor]:
    return Executor(store, codec), Executor(store, codec)

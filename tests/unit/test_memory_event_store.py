"""The event store in memory keeps the contract."""

import pytest

from app.eventstore.memory import InMemoryEventStore
from tests.contracts.event_store import *  # noqa: F403 - the suite
from tests.contracts.event_store import Bury

pytestmark = pytest.mark.anyio


@pytest.fixture
def store() -> InMemoryEventStore:
    return InMemoryEventStore()


@pytest.fixture
def bury(store: InMemoryEventStore) -> Bury:
    async def bury_one(customer_id: str) -> None:
        store.tombstones.add(customer_id)

    return bury_one

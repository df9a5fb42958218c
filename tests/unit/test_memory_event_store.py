"""The event store in memory keeps the contract."""

import pytest

from app.eventstore.memory import InMemoryEventStore
from app.eventstore.port import EventStore
from tests.contracts.event_store import *  # noqa: F403 - the suite

pytestmark = pytest.mark.anyio


@pytest.fixture
def store() -> EventStore:
    return InMemoryEventStore()

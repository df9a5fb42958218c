"""A store to send messages from."""

from collections.abc import AsyncIterator

import pytest

from app.eventstore.database import Database
from tests.integration.delivery.office import Office, office_on


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    async with office_on(database) as office:
        yield office

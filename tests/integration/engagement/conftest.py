"""A store to decide on."""

from collections.abc import AsyncIterator

import pytest

from app.eventstore.database import Database
from tests.integration.engagement.stage import Stage, stage_on


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    async with stage_on(database) as stage:
        await stage.begin()
        yield stage

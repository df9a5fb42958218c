"""A stage for each test."""

from collections.abc import AsyncIterator

import pytest

from app.eventstore.database import Database
from tests.integration.projections.stage import Stage, opened_stage


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    async with opened_stage(database) as opened:
        yield opened

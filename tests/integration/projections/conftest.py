"""A stage for each test."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from app.eventstore.database import Database
from tests.integration.projections.ann import introduce_ann
from tests.integration.projections.stage import Stage, opened_stage


@pytest.fixture
def watchful_projectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """They look for new generations ten times as often as they do in earnest."""
    often = timedelta(seconds=0.05)
    monkeypatch.setattr("projections.projector.LOOK_FOR_GENERATIONS_EVERY", often)


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    async with opened_stage(database) as opened:
        yield opened


@pytest.fixture
async def ann(stage: Stage) -> UUID:
    """Ann, who turned out to be the visitor v1; the id of her address. There is Ben, too."""
    return await introduce_ann(stage)

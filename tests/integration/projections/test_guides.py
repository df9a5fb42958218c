"""What the guides tell readers to write works as it stands there."""

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

import projections
from app.eventstore.codec import Codec
from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.eventstore.upcasting import Upcaster
from app.kernel.event import Event, EventCatalogue
from app.modules.customers.events import ConsentRecorded
from tests.fixtures.markdown import DOCS, blocks_of
from tests.integration.projections.stage import Stage, of_customer, opened_stage, sent

pytestmark = pytest.mark.anyio

PROJECTION_GUIDE = DOCS / "how-to" / "add-a-projection.md"
UPCASTING_GUIDE = DOCS / "how-to" / "upcast-an-old-event.md"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The files of the guide, each the block after its name, in the package `projections`."""
    names = re.findall(r"^\*\*`projections/(.+?)`\*\*", PROJECTION_GUIDE.read_text("utf-8"), re.M)
    for name, block in zip(names, blocks_of(PROJECTION_GUIDE), strict=True):
        if name != "registry.py":
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, "utf-8")
    monkeypatch.setattr(projections, "__path__", [*projections.__path__, str(tmp_path)])
    yield
    for module in [name for name in sys.modules if name.startswith("projections.daily_activity")]:
        monkeypatch.delitem(sys.modules, module)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("way", ["apply.sql", "apply.py"])
async def test_the_projection_of_the_guide_projects(stage: Stage, way: str) -> None:
    projection = importlib.import_module("projections.daily_activity").DAILY_ACTIVITY
    if way == "apply.py":
        handler = importlib.import_module("projections.daily_activity.apply").apply_batch
        projection = replace(projection, apply=None, handler=handler)
    await stage.make_first(projection)
    await stage.record(
        sent("ann"),
        sent("ann", minutes=1),
        sent("ann", minutes=60 * 24),
        sent("ben"),
        of_customer("ben", ConsentRecorded("email", "news")),
    )
    await stage.apply(projection.generation(1), max_batch_events=2)
    rows = await stage.fetch("SELECT * FROM daily_activity_g1 ORDER BY customer_id, day")
    noon = date(2026, 11, 22)
    assert rows == [("ann", noon, 2), ("ann", noon + timedelta(days=1), 1), ("ben", noon, 1)]


async def test_the_upcaster_of_the_guide_brings_old_events_up_to_date(database: Database) -> None:
    scope: dict[str, Any] = {"Event": Event, "ClassVar": ClassVar, "Upcaster": Upcaster}
    scope["Sequence"] = list
    for block in blocks_of(UPCASTING_GUIDE):
        exec(block.text, scope)  # noqa: S102 - our own page
    consent = scope["ConsentRecorded"]
    async with opened_stage(database) as stage:
        await stage.record(of_customer("ann", ConsentRecorded("email", "news")))
    async with opened_store(
        database, poll_interval=timedelta(seconds=5), upcasters=scope["UPCASTERS"]
    ) as store:
        (event,) = await store.read_log(after=0, limit=10)
    assert event.schema_version == consent.schema_version == 2
    decoded = Codec(EventCatalogue((consent,))).decode(event)
    assert decoded == consent(channel="email", topic="news", basis="unknown")

"""Whoever reads the log reads today's shape: readers in Python and projections alike."""

import msgspec
import pytest

from app.eventstore.database import Database
from app.eventstore.port import Append, StreamAppend
from app.eventstore.upcasting import Upcaster
from app.modules.customers.events import ConsentRecorded
from tests.integration.projections.stage import Stage, of_customer, opened_stage, sent

pytestmark = pytest.mark.anyio

TAG = ConsentRecorded.tag
UPCASTERS = (
    Upcaster(TAG, 1, """data || '{"language": "de"}'"""),
    Upcaster(TAG, 2, "data - 'topic' || jsonb_build_object('subject', data ->> 'topic')"),
)


async def record_old_and_new(stage: Stage) -> None:
    """The same event in its three shapes, and one that is none of its business."""
    stream, event = of_customer("ann", ConsentRecorded("email", "news"))
    for version, data in (
        (1, {"channel": "email", "topic": "news"}),
        (2, {"channel": "email", "topic": "news", "language": "en"}),
        (3, {"channel": "email", "subject": "news", "language": "en"}),
    ):
        shaped = msgspec.structs.replace(
            event,
            event_id=sent("x")[1].event_id,
            data=msgspec.Raw(msgspec.json.encode(data)),
            schema_version=version,
        )
        await stage.store.append(Append((StreamAppend(stream, (shaped,)),)))
    await stage.record(sent("ann", topic="mine"))


TODAY = [
    (3, {"channel": "email", "subject": "news", "language": "de"}),
    (3, {"channel": "email", "subject": "news", "language": "en"}),
    (3, {"channel": "email", "subject": "news", "language": "en"}),
    (1, {"topic": "mine"}),
]


async def test_readers_and_batches_see_the_same_shape_of_today(database: Database) -> None:
    async with opened_stage(database, upcasters=UPCASTERS) as stage:
        await record_old_and_new(stage)
        log = await stage.store.read_log(after=0, limit=10)
        assert [(e.schema_version, msgspec.json.decode(e.data)) for e in log] == TODAY
        async with await stage.log.connect() as connection, connection.transaction():
            await connection.execute("SET LOCAL tidings.batch_upto = '10'")
            cursor = await connection.execute(
                "SELECT schema_version, data FROM batch ORDER BY position"
            )
            assert await cursor.fetchall() == TODAY


async def test_without_upcasters_everything_is_as_it_was_written(stage: Stage) -> None:
    await record_old_and_new(stage)
    log = await stage.store.read_log(after=0, limit=10)
    assert [event.schema_version for event in log] == [1, 2, 3, 1]

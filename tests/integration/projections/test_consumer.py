"""The loop that consumers share never gives up, and tells trouble of the server from its own."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from app.catalogue import CATALOGUE
from app.eventstore.batch import Checkpoint, Claim
from app.eventstore.checkpoints import ensure_checkpoints, note_error
from app.eventstore.consumer import Consumer
from app.eventstore.database import Connection
from app.eventstore.failures import is_transient
from app.kernel.errors import StoreUnavailable
from projections.projector import Projector
from projections.timeline import TIMELINE
from tests.integration.projections.stage import Stage, sent, until

pytestmark = pytest.mark.anyio

CHECKPOINT = Checkpoint("tester")
CLAIM = Claim(CHECKPOINT, CATALOGUE, max_batch_events=1)


class Trouble:
    """A step that fails a few times and then has nothing to do."""

    def __init__(self, *failures: str | Exception) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.recovered = asyncio.Event()

    async def __call__(self, connection: Connection, _max_events: int) -> bool:
        self.calls += 1
        if not self.failures:
            self.recovered.set()
            return False
        failure = self.failures.pop(0)
        if isinstance(failure, Exception):
            raise failure
        await connection.execute(failure.encode())
        return True


async def last_error(stage: Stage) -> str | None:
    [(error,)] = await stage.fetch("SELECT last_error FROM checkpoints WHERE consumer = 'tester'")
    return None if error is None else str(error)


async def run_until_recovered(stage: Stage, trouble: Trouble, retry_after: timedelta) -> None:
    async with await stage.database.connect() as connection:
        await ensure_checkpoints(connection, "tester")
    stop = asyncio.Event()
    consumer = Consumer(CLAIM, stage.database.connect, trouble, content_retry_after=retry_after)
    async with asyncio.timeout(20):
        running = asyncio.create_task(consumer.run(stage.wakeups, stop))
        await trouble.recovered.wait()
        stop.set()
        await running


async def test_trouble_of_the_server_passes_and_leaves_no_trace(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventstore.consumer.FIRST_PAUSE_S", 0.001)
    trouble = Trouble(
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53200'; END $$",
        StoreUnavailable(),
        ConnectionResetError(),
    )
    await run_until_recovered(stage, trouble, timedelta(minutes=1))
    assert await last_error(stage) is None


async def test_a_mistake_is_noted_and_tried_again_slowly(stage: Stage) -> None:
    trouble = Trouble("SELECT a secret\nFROM nowhere", "SELECT nothing()")
    await run_until_recovered(stage, trouble, timedelta(milliseconds=10))
    assert "nothing() does not exist" in (await last_error(stage) or "")
    assert trouble.calls == 3


async def test_a_consumer_whose_checkpoint_is_gone_ends(stage: Stage) -> None:
    consumer = Consumer(CLAIM, stage.database.connect, Trouble("SELECT * FROM nowhere"))
    async with asyncio.timeout(20):
        await consumer.run(stage.wakeups, asyncio.Event())


async def test_a_note_is_stored_whatever_it_holds(stage: Stage) -> None:
    async with await stage.database.connect() as connection:
        assert not await note_error(connection, CHECKPOINT, "nobody hears")
        await ensure_checkpoints(connection, "tester")
        await ensure_checkpoints(connection, "tester", position=7)
        assert await note_error(connection, CHECKPOINT, "nul \0" + "x" * 5000)
    assert (await last_error(stage) or "").startswith("nul xxx")
    assert await stage.position("tester") == 0


async def test_a_mistake_in_a_projection_stops_that_projection_alone(stage: Stage) -> None:
    broken = replace(
        TIMELINE,
        name="broken",
        make_tables=lambda metadata, suffix: TIMELINE.make_tables(metadata, f"_broken{suffix}"),
        apply=lambda: "INSERT INTO {timeline_broken} (nowhere) SELECT position FROM batch;\n",
    )
    async with stage.projecting(TIMELINE, broken):
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g1")

        async def is_noted() -> bool:
            rows = await stage.fetch(
                "SELECT last_error FROM checkpoints WHERE consumer = 'broken_g1'"
            )
            return bool(rows and rows[0][0] and "UndefinedColumn" in rows[0][0])

        await until(is_noted)
        assert await stage.position("broken_g1") == 0
        await stage.record(sent("ann"))
        await stage.caught_up("timeline_g1")
        assert await stage.fetch("SELECT key FROM parked_keys") == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("lost"), True),
        (psycopg.errors.DeadlockDetected(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.QueryCanceled(), True),
        (psycopg.errors.LockNotAvailable(), True),
        (psycopg.errors.IdleInTransactionSessionTimeout(), True),
        (psycopg.errors.NumericValueOutOfRange(), False),
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.errors.UndefinedTable(), False),
        (psycopg.errors.ProgramLimitExceeded(), False),
        (psycopg.DataError("of the client"), False),
        (KeyError("name"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_of_the_server_or_of_the_content(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected


async def test_a_projector_waits_for_a_server_that_is_away(stage: Stage) -> None:
    away = replace(stage.database, url="postgresql://postgres@/nowhere?host=/nonexistent")
    stop = asyncio.Event()
    running = asyncio.create_task(
        Projector(replace(stage.log, database=away), stage.wakeups, [TIMELINE]).run(stop)
    )
    await asyncio.sleep(0.2)
    assert not running.done()
    stop.set()
    await running

"""Queries on a streaming replica: what they are promised is there, or they wait, or they say so."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from app.bootstrap.api import opened_api
from app.catalogue import CATALOGUE
from app.eventstore.database import Database
from app.eventstore.replica import opened_replica
from app.kernel.errors import InvalidInput, PositionBeyondHead, ReadModelBehind, WrongReplica
from app.secret import SECRET_FILE
from app.settings import Settings, read_settings
from projections.dropping import drop
from projections.generations import GenerationRow
from projections.reading import QUERY_SETTINGS, ReadModels, compiled
from projections.rebuild import rebuild
from projections.timeline import TIMELINE
from projections.timeline.queries import Timelines
from projections.timeline.tables import TimelineTables
from tests.fixtures.access import AUTHORIZATION, accept
from tests.fixtures.api import Api, api_of
from tests.fixtures.listener import Listener
from tests.fixtures.replica import Replica, running_replica
from tests.fixtures.tidings_up import environment, free_port, tidings
from tests.integration.conftest import Server, on_one_server
from tests.integration.projections.stage import (
    DEADLINE_S,
    Stage,
    opened_stage,
    sent,
    until,
)
from tests.unit.http.asking import ask

pytestmark = pytest.mark.anyio

PATIENCE = timedelta(seconds=20)
SOON = timedelta(milliseconds=50)
SECRET = "a secret of thirty-two characters"


@pytest.fixture(scope="module")
def shared_replica(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """Of the server that the stores are on."""
    folder = tmp_path_factory.mktemp("replica")
    with running_replica(server.dsn, folder / "data", server.bin_dir) as running:
        yield running


@pytest.fixture
def replica(shared_replica: Replica) -> Iterator[Replica]:
    """It runs again when the test is over."""
    yield shared_replica
    shared_replica.start()


@pytest.fixture
def replica_of_its_own(server: Server, tmp_path: Path) -> Iterator[Replica]:
    """For a test behind which it is none any more."""
    with running_replica(server.dsn, tmp_path / "replica", server.bin_dir) as running:
        yield running


@pytest.fixture
async def stage(database: Database, replica: Replica) -> AsyncIterator[Stage]:
    async with opened_stage(database) as opened:
        yield opened


def url_on(replica: Replica, database: Database) -> str:
    """The store's address there."""
    return replica.url(str(conninfo_to_dict(database.url)["dbname"]))


@asynccontextmanager
async def models_on(
    stage: Stage, url: str, *, patience: timedelta = PATIENCE
) -> AsyncIterator[ReadModels]:
    """The read models as a server shows them."""
    async with opened_replica(
        Database(url), stage.store.pool, max_size=4, settings=QUERY_SETTINGS
    ) as opened:
        yield ReadModels(
            opened.pool,
            min_position_timeout=patience,
            head=stage.store.head,
            check=opened.check,
        )


async def test_a_query_on_the_replica_sees_what_its_min_position_names(
    stage: Stage, replica: Replica
) -> None:
    async with models_on(stage, url_on(replica, stage.database)) as models, stage.projecting():
        await stage.caught_up()
        replica.catch_up()
        timelines = Timelines(models, CATALOGUE)
        for number in range(1, 5):
            position = await stage.record(sent("ann", number=number))
            page = await timelines.page("ann", limit=100, min_position=position)
            assert len(page.items) == number


async def test_a_query_waits_for_what_is_not_replayed_yet_and_not_for_what_never_was(
    stage: Stage, replica: Replica
) -> None:
    await stage.make_first()
    url = url_on(replica, stage.database)
    async with (
        models_on(stage, url) as patient,
        models_on(stage, url, patience=SOON) as impatient,
    ):
        with replica.lagging():
            position = await stage.record(sent("ann"))
            await stage.apply(TIMELINE.generation(1))
            timelines = Timelines(patient, CATALOGUE)
            waiting = asyncio.create_task(timelines.page("ann", limit=1, min_position=position))
            with pytest.raises(ReadModelBehind, match=f"position 0, not to {position}"):
                await Timelines(impatient, CATALOGUE).page("ann", limit=1, min_position=position)
            with pytest.raises(PositionBeyondHead, match=f"ends at position {position}"):
                await timelines.page("ann", limit=1, min_position=position + 1)
            assert (await timelines.page("ann", limit=1)).items == []
            assert not waiting.done()
        assert len((await waiting).items) == 1


async def test_a_query_that_replay_cancels_is_asked_again_of_the_generation_read_then(
    stage: Stage, replica: Replica
) -> None:
    await stage.make_first()
    await stage.record(sent("ann"))
    await stage.apply(TIMELINE.generation(1))
    url = url_on(replica, stage.database)
    async with models_on(stage, url) as models:
        with replica.lagging():
            await rebuild(stage.log, TIMELINE, handover=timedelta(0))
            async with await stage.database.connect() as connection:
                former = GenerationRow("timeline", 1, TIMELINE.version, "ready")
                assert await drop(connection, former)
            asked = asyncio.create_task(models.rows(TIMELINE, slow_on_the_first, {}))
            await until(lambda: is_asked(url))
        assert await asyncio.wait_for(asked, DEADLINE_S) == [("timeline_g2",)]


@compiled
def slow_on_the_first(tables: TimelineTables) -> sa.Select[Any]:
    name = tables.timeline.name
    pause = "pg_sleep(300)" if name.endswith("_g1") else "pg_sleep(0)"
    named: sa.ColumnElement[str] = sa.literal_column(f"'{name}' || left({pause}::text, 0)")
    return sa.select(named).select_from(tables.timeline)


async def is_asked(url: str) -> bool:
    """Whether the slow query runs."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        )
        return await cursor.fetchone() is not None


async def test_a_promoted_server_is_not_read_any_more(
    database: Database, replica_of_its_own: Replica
) -> None:
    replica = replica_of_its_own
    url = url_on(replica, database)

    async def is_refused(timelines: Timelines) -> bool:
        try:
            await timelines.page("ann", limit=1)
        except WrongReplica as error:
            return "it was promoted" in str(error)
        return False

    async with opened_stage(database) as stage:
        await stage.make_first()
        replica.catch_up()
        async with models_on(stage, url) as models:
            timelines = Timelines(models, CATALOGUE)
            assert (await timelines.page("ann", limit=1)).items == []
            replica.promote()
            await until(lambda: is_refused(timelines))
        with pytest.raises(WrongReplica, match="it was promoted"):
            async with models_on(stage, url):
                pass


async def test_a_server_that_replicates_another_store_is_refused(
    stage: Stage, replica: Replica
) -> None:
    replica.catch_up()
    with pytest.raises(WrongReplica, match="another database than the store's"):
        async with models_on(stage, replica.url("postgres")):
            pass


async def test_the_stores_own_server_is_as_good_as_a_replica(stage: Stage) -> None:
    await stage.make_first()
    async with models_on(stage, stage.database.url) as models:
        assert (await Timelines(models, CATALOGUE).page("ann", limit=1)).items == []


async def test_a_replica_without_the_stores_tables_is_behind(
    server: Server, replica: Replica, database: Database
) -> None:
    url = url_on(replica, database)
    async with opened_stage(database) as stage:
        await stage.make_first()
        replica.catch_up()
        async with opened_replica(
            Database(url, "not_migrated"), stage.store.pool, max_size=1, settings=QUERY_SETTINGS
        ) as opened:
            models = ReadModels(opened.pool, min_position_timeout=PATIENCE, check=opened.check)
            with pytest.raises(ReadModelBehind, match="tables are not there yet"):
                await Timelines(models, CATALOGUE).page("ann", limit=1)


async def test_a_replica_that_is_away_is_answered_for_with_a_problem_and_comes_back(
    stage: Stage, replica: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventstore.database.FETCH_FOR", timedelta(0))
    await stage.make_first()
    replica.catch_up()
    settings = Settings(
        read_database_url=url_on(replica, stage.database), secret=SECRET, data_dir=tmp_path
    )
    accept(stage.database, SECRET.encode())
    replica.stop()
    async with opened_api(settings, stage.database, asyncio.Event()) as app:
        answer = await ask(app, "GET", "/v1/customers/ann/timeline", authorization=AUTHORIZATION)
        assert (answer.status, answer.code) == (503, "store-unavailable")
        assert answer.json()["detail"] == "no connection to the replica is free"
        assert (await ask(app, "GET", "/v1/events", authorization=AUTHORIZATION)).status == 200
        replica.start()

        async def answers() -> bool:
            timeline = "/v1/customers/ann/timeline"
            return (await ask(app, "GET", timeline, authorization=AUTHORIZATION)).status == 200

        await until(answers)


@contextmanager
def serving(stage: Stage, replica: Replica, folder: Path) -> Iterator[str]:
    """`tidings serve`, which reads from the replica: its address."""
    settings = environment(
        database_url=stage.database.url,
        accept_data_loss=True,
        read_database_url=url_on(replica, stage.database),
        data_dir=folder,
        port=free_port(),
    )
    with subprocess.Popen(tidings("serve"), env=settings) as process:
        try:
            yield f"http://127.0.0.1:{settings['TIDINGS_PORT']}"
        finally:
            process.terminate()


async def state_of(api: Api) -> Any:
    """What `/health/ready` says; None before anybody listens."""
    try:
        return (await api.get("/health/ready")).json()
    except OSError:
        return None


@on_one_server
async def test_writes_are_read_over_http_from_a_replica_that_stops_and_is_rebuilt_on(
    stage: Stage, replica: Replica, tmp_path: Path
) -> None:
    async def recorded_and_read(api: Api) -> int:
        [outcome] = await api.record({"type": "Seen", "customer_id": "ann", "data": {}})
        where = f"/v1/customers/ann/timeline?min_position={outcome['position']}"
        return len((await api.read(where))["items"])

    async def is_ready() -> bool:
        return bool((await state_of(api) or {}).get("status") == "ready")

    async with stage.projecting():
        await stage.caught_up()
        replica.catch_up()
        with serving(stage, replica, tmp_path) as url:
            async with api_of(url) as api:
                await until(is_ready)
                accept(stage.database, (tmp_path / SECRET_FILE).read_bytes())
                assert [await recorded_and_read(api) for _ in range(3)] == [1, 2, 3]
                await rebuild(stage.log, TIMELINE, drop_old=True, handover=timedelta(0))
                assert await recorded_and_read(api) == 4
                replica.stop()
                said = await state_of(api)
                assert said["checks"]["event_store"] == "ok"
                assert said["checks"]["replica"] != "ok"
                listener = Listener(api, "ann", last_event_id=0)
                assert len(await listener.take(4)) == 4
                asked = asyncio.create_task(recorded_and_read(api))
                await asyncio.sleep(0.1)
                assert not asked.done()
                replica.start()
                assert await asked == 5
                await until(is_ready)


def test_a_replica_of_the_embedded_server_may_be_named_without_naming_that() -> None:
    settings = read_settings({"TIDINGS_READ_DATABASE_URL": "postgresql://replica/store"})
    assert settings.database_url is None
    with pytest.raises(InvalidInput) as refused:
        read_settings({"TIDINGS_READ_DATABASE_URL": "http://replica/store"})
    assert refused.value.field == "TIDINGS_READ_DATABASE_URL"

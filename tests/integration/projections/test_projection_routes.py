"""What is told of projections over HTTP and as metrics."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler

from app.eventstore.batch import Checkpoint, Claim
from app.http.asgi import App
from app.http.openapi import openapi_document
from projections import lag
from projections.generations import next_generation
from projections.lag import LagGauges, Rates, published_lag
from projections.queries import ProjectionQueries
from projections.rebuild import rebuild
from projections.registry import PROJECTIONS
from projections.routes import projection_routes
from projections.status import statuses
from projections.timeline import TIMELINE
from tests.integration.conftest import on_one_server
from tests.integration.projections.poison import a_poisoned_log, park
from tests.integration.projections.stage import Stage, sent, until
from tests.unit.http.asking import app_of, ask

pytestmark = [pytest.mark.anyio, on_one_server]

NOTE_ERROR = "UPDATE checkpoints SET last_error = 'no luck' WHERE consumer = %s RETURNING 1"


def routes_of(stage: Stage, rates: Rates) -> Sequence[HTTPRouteHandler]:
    return projection_routes(ProjectionQueries(stage.models._pool, PROJECTIONS, rates))


def app_on(stage: Stage, rates: Rates | None = None) -> App:
    return app_of(*routes_of(stage, rates or Rates()))


async def timeline_in(app: App) -> Any:
    answer = await ask(app, "GET", "/v1/projections")
    assert answer.status == 200
    items = answer.json()["items"]
    assert [item["name"] for item in items] == [projection.name for projection in PROJECTIONS]
    return items[0]


async def test_projections_are_listed_with_all_their_generations(stage: Stage) -> None:
    async with a_poisoned_log(stage):
        await rebuild(stage.log, TIMELINE, handover=timedelta(0), shards=3)
    await stage.record(sent("ben"))
    timeline = await timeline_in(app_on(stage))
    assert (timeline["definition_version"], timeline["state"]) == (TIMELINE.version, "running")
    assert timeline["rate"] is None
    old, new = timeline["generations"]
    assert old.pop("lag_seconds") >= 0
    assert old.pop("moved_at") < timeline["looked_at"]
    assert old == {
        "name": "timeline_g1",
        "projection": "timeline",
        "generation": 1,
        "definition_version": TIMELINE.version,
        "state": "ready",
        "phase": None,
        "is_read": False,
        "position": 20,
        "lag_events": 1,
        "shards": 1,
        "parked_keys": 1,
        "last_error": None,
        "rate": None,
        "percent": 100 * 20 / 21,
        "seconds_left": None,
    }
    assert (new["is_read"], new["shards"], new["parked_keys"]) == (True, 3, 0)


async def test_the_state_of_a_projection_is_told_in_a_word(stage: Stage) -> None:
    app = app_on(stage)
    assert (await timeline_in(app))["state"] == "building"
    await stage.make_first()
    await stage.record(sent("ann"))
    assert (await timeline_in(app))["state"] == "running"
    async with await stage.log.connect() as connection:
        await next_generation(connection, TIMELINE)
    assert (await timeline_in(app))["state"] == "rebuilding"
    await stage.fetch("UPDATE clock SET offset_by = '1 hour' RETURNING 1")
    assert (await timeline_in(app))["state"] == "behind"
    await stage.fetch(NOTE_ERROR, "timeline_g1")
    assert (await timeline_in(app))["state"] == "failing"


async def test_the_rate_is_that_between_the_last_two_looks(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(sent("ann"), sent("ann"))
    rates = Rates()
    app = app_on(stage, rates)
    async with await stage.database.connect() as connection:
        rates.look(await statuses(connection, PROJECTIONS))
        assert (await timeline_in(app))["rate"] is None
        await stage.apply(TIMELINE.generation(1))
        rates.look(await statuses(connection, PROJECTIONS))
        assert (await timeline_in(app))["rate"] > 0
        rates.look(await statuses(connection, PROJECTIONS))
        assert (await timeline_in(app))["rate"] == 0
    rates.forget()
    assert (await timeline_in(app))["rate"] is None


async def test_how_a_rebuild_gets_on_is_told_beside_what_queries_read(stage: Stage) -> None:
    await stage.make_first()
    await stage.record(*(sent("ann") for _ in range(8)))
    await stage.apply(TIMELINE.generation(1))
    rates = Rates()
    app = app_on(stage, rates)
    async with await stage.log.connect(TIMELINE.generation(2).key) as connection:
        await next_generation(connection, TIMELINE)
        rates.look(await statuses(connection, PROJECTIONS))
        claim = Claim(Checkpoint("timeline_g2"), stage.log.catalogue, max_batch_events=2)
        await TIMELINE.generation(2).apply(claim, connection)
        rates.look(await statuses(connection, PROJECTIONS))
    timeline = await timeline_in(app)
    read, built = timeline["generations"]
    assert timeline["rate"] == read["rate"] == 0
    assert (read["percent"], read["seconds_left"]) == (100, 0)
    assert built["rate"] > 0
    assert (built["percent"], built["seconds_left"]) == (25, 6 / built["rate"])


class Told:
    """A gauge that remembers."""

    def __init__(self) -> None:
        self.value: float | None = None

    def set(self, value: float) -> None:
        self.value = value


async def test_lag_and_parked_keys_are_published_and_rates_become_known(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "LOOK_EVERY_S", 0.01)
    await stage.make_first()
    await stage.record(sent("ann"), sent("ann"))
    await park(stage, "timeline_g1", "ben")
    told = {each.name: (Told(), Told(), Told()) for each in PROJECTIONS}
    gauges = {name: LagGauges(*three) for name, three in told.items()}
    async with published_lag(stage.database, PROJECTIONS, gauges) as rates:

        async def is_known() -> bool:
            return all(rates.of(f"{each.name}_g1") == 0 for each in PROJECTIONS)

        await until(is_known)
    values = {name: (events.value, parked.value) for name, (events, _, parked) in told.items()}
    assert values == {each.name: (2, int(each is TIMELINE)) for each in PROJECTIONS}


async def test_the_parked_keys_of_what_queries_read_are_listed(stage: Stage) -> None:
    async with a_poisoned_log(stage):
        pass
    await park(stage, "timeline_g2", "eve")
    await park(stage, "timeline_g1", "~v")
    app = app_on(stage)
    items = (await ask(app, "GET", "/v1/projections/timeline/parked")).json()["items"]
    assert [(item["consumer"], item["key"], item["position"]) for item in items] == [
        ("timeline_g1", "~v", 1),
        ("timeline_g1", "ann", 7),
    ]
    assert "invalid input syntax" in items[1]["error"]
    assert items[1]["parked_at"]
    first = await ask(app, "GET", "/v1/projections/timeline/parked?limit=1")
    assert first.json()["items"] == items[:1]
    assert (await ask(app, "GET", "/v1/projections/customers/parked")).json() == {"items": []}


async def test_a_projection_that_there_is_not_is_not_found_and_bad_input_refused(
    stage: Stage,
) -> None:
    app = app_on(stage)
    assert (await ask(app, "GET", "/v1/projections/timeline/parked")).json() == {"items": []}
    answer = await ask(app, "GET", "/v1/projections/nothing/parked")
    assert (answer.status, answer.code) == (404, "not-found")
    for target, field in (
        ("/timeline/parked?limit=0", "limit"),
        ("/timeline/parked?limit=1001", "limit"),
        ("/timeline/parked?limit=all", "limit"),
        ("/timeline/parked?key=ann", "key"),
        ("?name=timeline", "name"),
    ):
        answer = await ask(app, "GET", f"/v1/projections{target}")
        assert (answer.status, answer.code) == (400, "invalid-input"), target
        assert answer.json()["field"] == field, target


async def test_projections_are_documented_with_examples(stage: Stage) -> None:
    document = openapi_document(routes_of(stage, Rates()), version="1")
    examples = {
        path: item["get"]["responses"]["200"]["content"]["application/json"]["example"]
        for path, item in document["paths"].items()
    }
    [projection] = examples["/v1/projections"]["items"]
    assert (projection["name"], projection["state"]) == ("timeline", "running")
    assert projection["generations"][0]["name"] == "timeline_g3"
    [parked] = examples["/v1/projections/{name}/parked"]["items"]
    assert (parked["consumer"], parked["key"]) == ("timeline_g1", "anna")

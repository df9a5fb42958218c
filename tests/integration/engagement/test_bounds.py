"""What a backtest keeps, and what is evaluated anew for one customer, has bounds."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app.catalogue import CODEC
from app.engagement import backtest_routes, why, why_routes
from app.engagement.why import Explaining
from app.http.app import create_app
from app.http.metrics import Metrics
from app.modules.customers.decider import CUSTOMER, ChangeTraits
from tests.fixtures.access import AsStored, OpenGate
from tests.integration.conftest import on_one_server
from tests.integration.engagement.stage import SEND, Stage
from tests.integration.engagement.test_backtest import backtests, period

pytestmark = [pytest.mark.anyio, on_one_server]

WAITING = {"steps": [{"do": "wait", "time": "3h"}, SEND]}


@asynccontextmanager
async def api_of(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    routes = [
        *backtest_routes.backtest_routes(backtests(stage)),
        *why_routes.why_routes(Explaining(stage.store, CODEC), AsStored()),
    ]
    app: Any = create_app(routes, version="0", metrics=Metrics(), gate=OpenGate())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as api:
        yield api


def lines(answer: httpx.Response) -> list[Any]:
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_a_backtest_that_would_keep_too_much_breaks_off_and_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.live("greet", **WAITING)
    for number in range(70):
        await stage.happen(who=f"c-{number}")
    every = await period(stage)
    asked = {"from": every.begin.isoformat(), "to": every.end.isoformat()}
    async with api_of(stage) as api:
        enough = await api.post("/v1/rules/greet/backtest", json=asked)
        assert lines(enough)[-1]["summary"]["tested"]["outcomes"] == {"waiting": 70}
        monkeypatch.setattr(backtest_routes, "MAX_KEPT_BYTES", 100_000)
        short = await api.post("/v1/rules/greet/backtest", json=asked)
    problem = lines(short)[-1]["problem"]
    assert (problem["type"], problem["status"]) == ("urn:tidings:problem:too-much-to-keep", 409)


async def test_no_more_pasts_are_evaluated_at_once_than_that(stage: Stage) -> None:
    await stage.live("greet")
    await stage.happen()
    ask = "/v1/rules/greet/why-not?customer_id=anna"
    admitted = why_routes.MAX_AT_A_TIME + why_routes.MAX_WAITING
    async with api_of(stage) as api:
        asked = [api.get(ask) for _ in range(admitted + 1)]
        answers = await asyncio.gather(*asked)
        again = await api.get(ask)
    assert sorted(answer.status_code for answer in answers) == [200] * admitted + [503]
    [refused] = [answer for answer in answers if answer.status_code == 503]
    assert refused.json()["type"] == "urn:tidings:problem:overloaded"
    assert again.status_code == 200


async def test_a_past_that_is_too_long_is_evaluated_up_to_an_earlier_time_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.live("greet")
    await stage.happen()
    before = await stage.store.now()
    for number in range(3):
        await stage.send(CUSTOMER, "anna", ChangeTraits({"visits": number}))
    ask = {"customer_id": "anna"}
    for limit in ("MAX_EVENTS", "MAX_PROFILE_EVENTS"):
        with monkeypatch.context() as patch:
            patch.setattr(why, "PAGE_EVENTS", 2)
            patch.setattr(why, limit, 3 if limit == "MAX_EVENTS" else 2)
            async with api_of(stage) as api:
                refused = await api.get("/v1/rules/greet/why-not", params=ask)
                earlier = {**ask, "at": before.isoformat()}
                told = await api.get("/v1/rules/greet/why-not", params=earlier)
        assert (refused.status_code, told.status_code) == (409, 200)
        assert refused.json()["type"] == "urn:tidings:problem:past-too-long"

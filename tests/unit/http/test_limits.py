"""Buckets keep their rate; whoever asks for more is told when to come again."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request, get, post

from app.http.access import requires
from app.http.limits import Allowance, Bucket, RateLimited, take_events
from tests.unit.http.asking import Only, app_of, ask
from tests.unit.http.asking import post as send

pytestmark = pytest.mark.anyio


@get("/v1/events", opt=requires("events:read"))
async def read() -> list[str]:
    return []


@post("/v1/events", opt=requires("events:write"))
async def record(request: Request[Any, Any, Any]) -> None:
    take_events(request.scope, 10)


@get("/health", sync_to_thread=False)
def show_health() -> None:
    return None


@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 500)), max_size=50),
)
def test_in_any_time_no_more_is_taken_than_the_rate_a_first_second_and_one_last_batch(
    per_s: int, asked: list[tuple[float, int]]
) -> None:
    bucket = Bucket("requests", per_s)
    start = now = bucket._at
    taken = 0
    for pause, count in asked:
        now += pause
        if bucket.take(count, now):
            taken += count
            assert taken < per_s * (now - start) + per_s + count + 1e-6
    assert bucket.asked == sum(count for _, count in asked)


@given(st.floats(0.01, 1000), st.integers(1, 5000))
def test_there_is_something_again_after_the_wait_that_is_told(per_s: float, count: int) -> None:
    bucket = Bucket("requests", per_s)
    now = bucket._at
    assert bucket.take(count, now)
    assert bucket.take(1, now + bucket.wait_s(now) + 1e-6)


async def test_one_request_too_many_is_refused_with_when_to_come_again() -> None:
    app = app_of(read, limits=Only(Allowance(2, 0)))
    answers = [await ask(app, "GET", "/v1/events") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[-1].code == "rate-limited"
    assert answers[-1].headers["retry-after"] == "1"
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=2;w=1'}
    left = [answer.headers["ratelimit"] for answer in answers]
    assert left == ['"requests";r=1', '"requests";r=0;t=1', '"requests";r=0;t=1']


async def test_events_have_a_limit_of_their_own() -> None:
    app = app_of(record, limits=Only(Allowance(0, 15)))
    answers = [await send(app, "/v1/events", b"{}") for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 429]
    assert answers[0].headers["ratelimit-policy"] == '"events";q=15;w=1;qu="events"'
    assert re.fullmatch(r'"events";r=0;t=\d+', answers[2].headers["ratelimit"])


async def test_nothing_is_said_of_limits_where_none_applies() -> None:
    app = app_of(read, show_health, limits=Only(Allowance(1, 1)))
    for _ in range(3):
        answer = await ask(app, "GET", "/health")
        assert answer.status == 200
        assert not {"ratelimit", "ratelimit-policy"} & answer.headers.keys()
    unlimited = await ask(app_of(read), "GET", "/v1/events")
    assert "ratelimit" not in unlimited.headers


def test_a_batch_larger_than_the_limit_gets_through_and_the_next_one_waits() -> None:
    allowance = Allowance(0, 10)
    allowance.take_events(1_000)
    with pytest.raises(RateLimited) as refused:
        allowance.take_events(1)
    assert 98 <= refused.value.retry_after_s <= 100


def test_what_is_owed_is_made_good_before_more_is_given() -> None:
    allowance = Allowance(0, 10)
    allowance.take_events(1)
    allowance.owe_events(100)
    with pytest.raises(RateLimited) as refused:
        allowance.take_events(1)
    assert refused.value.retry_after_s >= 9

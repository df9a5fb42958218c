"""Processes that serve one store share each owner's limits through it."""

from datetime import timedelta

import pytest

from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.http.limits import Allowance
from app.security.sharing import SharedLimits, shared_limits
from tests.fixtures.api import until_async
from tests.integration.conftest import on_one_server

pytestmark = [pytest.mark.anyio, on_one_server]

LIMIT = 1_000_000
POLL = timedelta(seconds=10)
DEADLINE_S = 30


def asked_of(limits: SharedLimits, requests: int) -> Allowance:
    """The owner's allowance, after so many requests."""
    allowance = limits.allowance_of("shop")
    assert allowance is not None
    for _ in range(requests):
        allowance.take_request()
    return allowance


def rate_of(allowance: Allowance) -> float:
    assert allowance.requests is not None
    return allowance.requests.per_s


async def test_two_processes_share_a_limit_and_one_that_is_left_alone_has_all_again(
    database: Database,
) -> None:
    one, other = (SharedLimits(requests_per_s=LIMIT, events_per_s=0) for _ in range(2))
    async with (
        opened_store(database, poll_interval=POLL, max_pool_size=4) as store,
        shared_limits(one, store.pool),
    ):
        async with shared_limits(other, store.pool):

            async def is_shared() -> bool:
                rates = [rate_of(asked_of(limits, 100)) for limits in (one, other)]
                return all(rate < LIMIT for rate in rates)

            await until_async(is_shared, seconds=DEADLINE_S)

        async def has_all() -> bool:
            return rate_of(asked_of(one, 100)) == LIMIT

        await until_async(has_all, seconds=DEADLINE_S)

"""Processes that serve one store share each owner's limits through it."""

from datetime import timedelta

import pytest
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs

from app.eventstore.database import Database
from app.eventstore.postgres import opened_store
from app.http.limits import Allowance
from app.security.sharing import SharedLimits, shared_limits
from tests.fixtures.api import until_async
from tests.integration.conftest import Server, on_one_server

pytestmark = [pytest.mark.anyio, on_one_server]

LIMIT = 1_000_000
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"
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


async def test_while_the_database_is_away_each_keeps_its_share_and_then_shares_follow_again(
    database: Database, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventstore.database.FETCH_FOR", timedelta(seconds=0.5))
    one = SharedLimits(requests_per_s=LIMIT, events_per_s=0)
    name = conninfo_to_dict(database.url)["dbname"]
    async with (
        opened_store(database, poll_interval=POLL, max_pool_size=4) as store,
        shared_limits(one, store.pool),
    ):
        asked_of(one, 1)
        one.share({"shop": (LIMIT, 0)}, [{"shop": (3 * LIMIT, 0)}])
        share = rate_of(asked_of(one, 1))
        assert share < LIMIT / 2
        with capture_logs() as logs:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            server.execute(TERMINATE.format(name))

            async def is_known() -> bool:
                assert rate_of(asked_of(one, 1)) == share
                return any(log["event"] == "limits_not_shared" for log in logs)

            await until_async(is_known, seconds=DEADLINE_S)
        fresh = one.allowance_of("rides")
        assert fresh is not None
        assert rate_of(fresh) == LIMIT
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

        async def has_all() -> bool:
            return rate_of(asked_of(one, 1)) == LIMIT

        await until_async(has_all, seconds=DEADLINE_S)

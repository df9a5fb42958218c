"""Processes share a limit by what is asked of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.security.sharing import SharedLimits, share_of

LIMIT = 1000.0


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=8))
def test_shares_make_up_the_limit_and_all_get_some(asked: list[float]) -> None:
    shares = [
        share_of(LIMIT, mine, asked[:number] + asked[number + 1 :])
        for number, mine in enumerate(asked)
    ]
    assert sum(shares) == pytest.approx(LIMIT)
    assert min(shares) > 0


@given(st.lists(st.floats(1, 100), min_size=1, max_size=8))
def test_where_there_is_enough_everybody_gets_what_it_asks_for(asked: list[float]) -> None:
    for number, mine in enumerate(asked):
        assert share_of(LIMIT, mine, asked[:number] + asked[number + 1 :]) >= mine


def test_alone_one_has_all() -> None:
    assert share_of(LIMIT, 0, []) == LIMIT
    assert share_of(LIMIT, 5 * LIMIT, []) == LIMIT


def test_an_owners_share_follows_its_own_demand_alone() -> None:
    limits = SharedLimits(requests_per_s=1000, events_per_s=0)
    shop, rides = limits.allowance_of("shop"), limits.allowance_of("rides")
    assert shop is not None
    assert rides is not None
    limits.share({"shop": (500, 0), "rides": (10, 0)}, [{"shop": (1500, 0)}])
    assert shop.requests is not None
    assert rides.requests is not None
    assert (shop.requests.per_s, rides.requests.per_s) == (250, 1000)


def test_demand_is_counted_once() -> None:
    limits = SharedLimits(requests_per_s=1, events_per_s=1)
    allowance = limits.allowance_of("shop")
    assert allowance is not None
    allowance.take_request()
    assert limits.demands()["shop"][0] > 0
    assert limits.demands() == {}
    assert limits.allowance_of("shop") is allowance  # what it took is not made good yet


def test_an_owner_who_has_all_again_is_forgotten() -> None:
    limits = SharedLimits(requests_per_s=10_000_000, events_per_s=0)
    allowance = limits.allowance_of("shop")
    limits.demands()
    assert limits.allowance_of("shop") is not allowance


def test_nothing_is_kept_where_nothing_is_limited() -> None:
    limits = SharedLimits(requests_per_s=0, events_per_s=0)
    assert limits.allowance_of("shop") is None

"""Batches shrink to the event that fails, and grow again."""

from itertools import pairwise

import pytest

from app.eventstore.doubt import Doubt


@pytest.mark.parametrize("largest", [1, 2, 7, 5_000, 50_000])
def test_batches_are_halved_down_to_one_event(largest: int) -> None:
    doubt = Doubt(largest)
    sizes = [doubt.max_events]
    while not doubt.is_alone:
        doubt.failed()
        sizes.append(doubt.max_events)
    assert sizes[0] == largest
    assert sizes[-1] == 1
    assert all(later == earlier // 2 for earlier, later in pairwise(sizes))


def test_only_an_event_that_was_alone_twice_is_certain() -> None:
    doubt = Doubt(4)
    for _ in range(2):
        doubt.failed()
    assert doubt.is_alone
    doubt.failed()
    assert not doubt.is_certain
    doubt.failed()
    assert doubt.is_certain


def test_batches_grow_with_each_that_passes() -> None:
    doubt = Doubt(8)
    doubt.failed(times=30)
    sizes = []
    for _ in range(4):
        doubt.passed()
        sizes.append(doubt.max_events)
    assert sizes == [2, 4, 8, 8]

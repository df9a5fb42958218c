"""What an idempotency key promises of a command, over any event store.

It is run as the suite of `executor.py` is, with the same fixtures.
"""

import asyncio

import msgspec
import pytest

from app.eventstore.port import EventStore
from app.kernel.errors import IdempotencyConflict
from tests.contracts.executor import Two, run, total
from tests.controls.counters import Close, Increment, RaiseTo


async def test_nothing_to_do_is_not_remembered(executors: Two, store: EventStore) -> None:
    executor, _ = executors
    await run(executor, Increment(2))
    assert (await run(executor, RaiseTo(2), key="k")).events == ()
    assert (await run(executor, Increment(), key="k", fingerprint="g")).version == 3


async def test_a_repeat_answers_what_was_answered_first(executors: Two, store: EventStore) -> None:
    here, elsewhere = executors
    first = await run(here, Increment(2), key="k")
    await run(here, Increment(), "2")
    await run(here, Increment())
    for executor in (here, elsewhere, here):
        repeat = await run(executor, Increment(2), key="k")
        assert repeat == msgspec.structs.replace(first, repeated=True)
    assert await total(store) == 3


async def test_a_key_sent_20_times_at_once_has_one_effect_and_one_answer(
    executors: Two, store: EventStore
) -> None:
    answers = await asyncio.gather(
        *(run(executors[number % 2], Increment(3), key="k") for number in range(20))
    )
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 19
    assert len({msgspec.structs.replace(answer, repeated=False) for answer in answers}) == 1
    assert await total(store) == 3


async def test_a_key_with_another_request_is_refused(executors: Two, store: EventStore) -> None:
    here, elsewhere = executors
    await run(here, Increment(), key="k")
    for executor in (here, elsewhere):
        with pytest.raises(IdempotencyConflict):
            await run(executor, Increment(), key="k", fingerprint="g")
        with pytest.raises(IdempotencyConflict):
            await run(executor, Increment(), "2", key="k", fingerprint="g")
    await run(here, Close())
    for executor in (here, elsewhere):
        with pytest.raises(IdempotencyConflict):
            await run(executor, Increment(), key="k", fingerprint="g")
    assert await store.head() == 2


async def test_a_repeat_is_not_refused_by_a_decider_that_would_refuse_today(
    executors: Two, store: EventStore
) -> None:
    here, elsewhere = executors
    first = await run(here, Increment(2), key="k")
    closing = await run(here, Close(), key="c")
    for executor in (here, elsewhere):
        assert await run(executor, Increment(2), key="k") == msgspec.structs.replace(
            first, repeated=True
        )
        assert await run(executor, Close(), key="c") == msgspec.structs.replace(
            closing, repeated=True
        )
    assert await store.head() == 3


async def test_a_repeat_is_not_refused_for_the_version_that_it_expected_then(
    executors: Two, store: EventStore
) -> None:
    here, elsewhere = executors
    await run(here, Increment())
    first = await run(here, Increment(), key="k", expected_version=1)
    await run(elsewhere, Increment())
    for executor in (here, elsewhere):
        repeat = await run(executor, Increment(), key="k", expected_version=1)
        assert repeat == msgspec.structs.replace(first, repeated=True)
    assert await total(store) == 3

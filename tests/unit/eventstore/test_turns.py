"""Turns come in order, one at a time, and none is lost by whoever gives up."""

import asyncio

import pytest

from app.eventstore.turns import Turns

pytestmark = pytest.mark.anyio


async def test_turns_come_one_at_a_time_in_the_order_of_coming() -> None:
    turns, came = Turns(), list[int]()

    async def come(number: int) -> None:
        await turns.wait("a")
        came.append(number)

    assert turns.take("a")
    tasks = [asyncio.create_task(come(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert turns.take("b")
    for number in range(3):
        assert not turns.take("a")
        assert came == list(range(number))
        turns.end("a")
        await tasks[number]
    turns.end("a")
    assert turns.take("a")


@pytest.mark.parametrize("has_come", [False, True])
async def test_a_turn_of_one_who_gives_up_is_the_next_ones(has_come: bool) -> None:
    turns = Turns()
    turns.take("a")
    hasty, patient = (asyncio.create_task(turns.wait("a")) for _ in range(2))
    await asyncio.sleep(0)
    if has_come:
        turns.end("a")
        hasty.cancel()
    else:
        hasty.cancel()
        turns.end("a")
    await patient
    assert hasty.cancelled() or hasty.cancelling()
    turns.end("a")
    assert turns.take("a")

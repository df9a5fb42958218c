"""Who goes first of those that an event wakes together."""

import asyncio

import pytest

from projections.precedence import YIELDS_S, Precedence

pytestmark = pytest.mark.anyio


class Steps:
    """Steps that note when they begin, and end when they are told to."""

    def __init__(self, at_once: int) -> None:
        self.precedence = Precedence(at_once)
        self.begun: list[int] = []
        self._ends: dict[int, asyncio.Event] = {}

    def start(self, rank: int) -> "asyncio.Task[None]":
        self._ends[rank] = asyncio.Event()
        return asyncio.create_task(self._step(rank))

    async def _step(self, rank: int) -> None:
        async with self.precedence.turn(rank):
            self.begun.append(rank)
            await self._ends[rank].wait()

    async def end(self, rank: int) -> None:
        self._ends[rank].set()
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_come_together_go_by_rank_so_many_at_once() -> None:
    steps = Steps(at_once=2)
    tasks = [steps.start(rank) for rank in (3, 1, 4, 0, 2)]
    await settled()
    assert steps.begun == [0, 1]
    await steps.end(1)
    assert steps.begun == [0, 1, 2]
    for rank in (0, 2, 3, 4):
        await steps.end(rank)
    assert steps.begun == [0, 1, 2, 3, 4]
    await asyncio.gather(*tasks)


async def test_whoever_is_late_in_the_order_does_not_wait_for_ever() -> None:
    steps = Steps(at_once=1)
    tasks = [steps.start(0)]
    await settled()
    tasks.append(steps.start(3))
    await asyncio.sleep(5 * YIELDS_S)
    tasks.append(steps.start(1))
    await settled()
    for rank in (0, 3, 1):
        await steps.end(rank)
    assert steps.begun == [0, 3, 1]
    await asyncio.gather(*tasks)


async def test_whoever_waits_for_something_else_keeps_nobody_from_going_on() -> None:
    steps = Steps(at_once=1)
    tasks = [steps.start(rank) for rank in (0, 1)]
    async with asyncio.timeout(30):
        while steps.begun != [0, 1]:
            await asyncio.sleep(0.01)
    await steps.end(0)
    tasks.append(steps.start(2))
    await settled()
    assert steps.begun == [0, 1]  # what was given back is not given back again
    await steps.end(1)
    assert steps.begun == [0, 1, 2]
    await steps.end(2)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_the_turn_of_whoever_is_cancelled_is_anothers(cancelled: int) -> None:
    """0 is at it, 1 waits."""
    steps = Steps(at_once=1)
    tasks = [steps.start(rank) for rank in (0, 1, 2)]
    await settled()
    tasks[cancelled].cancel()
    await settled()
    left = [rank for rank in (0, 1, 2) if rank != cancelled]
    for rank in left:
        await steps.end(rank)
    await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [rank == cancelled for rank in range(3)]
    assert steps.begun == ([0, 1, 2] if cancelled == 0 else [0, 2])


async def test_a_turn_that_comes_as_its_owner_is_cancelled_is_given_on() -> None:
    steps = Steps(at_once=1)
    first, second, third = (steps.start(rank) for rank in (0, 1, 2))
    await settled()
    first.cancel()
    await asyncio.sleep(0)  # the second has its turn, and does not know yet
    second.cancel()
    await settled()
    assert steps.begun[-1] == 2
    await steps.end(2)
    await asyncio.wait([first, second, third])

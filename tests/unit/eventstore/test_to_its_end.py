"""Work that is done although whoever asked for it is gone."""

import asyncio
import gc
from collections.abc import Callable

import pytest

from app.eventstore.database import to_its_end
from app.kernel.errors import StoreUnavailable

pytestmark = pytest.mark.anyio


async def failing(now: asyncio.Event) -> None:
    await now.wait()
    raise StoreUnavailable("it is gone")


async def test_whoever_waits_gets_the_answer_or_the_failure() -> None:
    assert await to_its_end(asyncio.sleep(0, "done")) == "done"
    now = asyncio.Event()
    now.set()
    with pytest.raises(StoreUnavailable):
        await to_its_end(failing(now))


async def test_the_work_goes_on_without_whoever_asked() -> None:
    now, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await now.wait()
        done.set()

    asking = asyncio.create_task(to_its_end(work()))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    now.set()
    async with asyncio.timeout(10):
        await done.wait()


@pytest.mark.parametrize("turns", range(-4, 5))
async def test_a_failure_is_nobodys_when_whoever_asked_is_cancelled(turns: int) -> None:
    """So many turns of the loop after it failed, or before. Failures that nobody is told of fail
    the test: the loop tells its runner.
    """
    now = asyncio.Event()
    asking = asyncio.create_task(to_its_end(failing(now)))
    await asyncio.sleep(0.001)
    steps: list[Callable[[], object]] = [now.set, asking.cancel]
    if turns < 0:
        steps.reverse()
    steps[0]()
    for _ in range(abs(turns)):
        await asyncio.sleep(0)
    steps[1]()
    await asyncio.wait([asking])
    await asyncio.sleep(0.001)
    assert asking.cancelled() or isinstance(asking.exception(), StoreUnavailable)
    del asking, steps
    gc.collect()
    await asyncio.sleep(0.001)

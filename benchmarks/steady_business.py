"""A steady load of businesses, as a process of its own, at an even pace until it is ended.

python -m benchmarks.steady_business URL AUTHORIZATION EVENTS_PER_SECOND

Of ten events, six are interactions; a ride makes three, and its claim leads to a message; a
question makes one, which leads to its acknowledgement, and that to a message.
"""

import asyncio
import sys
from collections.abc import Coroutine
from itertools import count, cycle
from time import perf_counter
from typing import Any
from uuid import uuid4

import uvloop
from aiohttp import ClientSession

from benchmarks.sample import Crowd

MAX_WAITING = 2_000
"""Acts that are not over yet. With more, the load is no longer what it should be."""
OFFER_S = 600


class Business:
    """Acts of customers and services, each of some events."""

    def __init__(self, url: str, client: ClientSession) -> None:
        """Ids are of this run alone."""
        self._url = url
        self._client = client
        self._crowd = Crowd(seed=10)
        self._run = uuid4().hex[:8]
        self._numbers = count()

    async def interaction(self) -> None:
        """One event that nothing follows from."""
        await self._post("events", self._crowd.sent_event())

    async def ride(self) -> None:
        """Three: requested, offered, claimed, each once the one before is recorded."""
        ride = f"rides/{self._new_id()}"
        places = {"pickup": "Kanalstraße 3", "dropoff": "Central Station"}
        await self._post(f"{ride}/request", {"customer_id": self._crowd.customer(), **places})
        offer = {"driver_ids": ["driver-1", "driver-2"], "seconds": OFFER_S}
        await self._post(f"{ride}/offer", offer)
        await self._post(f"{ride}/claim", {"driver_id": "driver-2"})

    async def question(self) -> None:
        """One event."""
        asked = {"text": "Where is my desk?", "channel": "chat", "topic": "delivery"}
        body = {"customer_id": self._crowd.customer(), **asked}
        await self._post(f"questions/{self._new_id()}/open", body)

    def _new_id(self) -> str:
        return f"{self._run}-{next(self._numbers)}"

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        async with self._client.post(f"{self._url}/v1/{path}", json=body) as answer:
            await answer.read()
            answer.raise_for_status()


async def send(url: str, authorization: str, events_per_second: int) -> None:
    """Send for ever; what was due while this process was held up follows at once."""
    async with (
        ClientSession(headers={"Authorization": authorization}) as client,
        asyncio.TaskGroup() as tasks,
    ):
        business = Business(url, client)
        waiting: set[asyncio.Task[None]] = set()
        acts = [(business.interaction, 1)] * 3 + [(business.question, 1)]
        acts += [(business.interaction, 1)] * 3 + [(business.ride, 3)]
        due = perf_counter()
        for act, events in cycle(acts):
            _begin(tasks, act(), waiting)
            due += events / events_per_second
            await asyncio.sleep(max(0.0, due - perf_counter()))


def _begin(
    tasks: asyncio.TaskGroup, act: Coroutine[Any, Any, None], waiting: set[asyncio.Task[None]]
) -> None:
    if len(waiting) >= MAX_WAITING:
        act.close()
        raise RuntimeError("the API does not take so many events a second")
    task = tasks.create_task(act)
    waiting.add(task)
    task.add_done_callback(waiting.discard)


if __name__ == "__main__":
    uvloop.run(send(sys.argv[1], sys.argv[2], int(sys.argv[3])))

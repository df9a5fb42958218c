"""A modest, steady load, as a process of its own: events at an even pace, until it is ended.

python -m benchmarks.steady_load URL AUTHORIZATION
"""

import asyncio
import sys
from time import perf_counter

import uvloop
from aiohttp import ClientSession

from benchmarks.sample import Crowd

EVENTS_PER_SECOND = 200


async def send(url: str, authorization: str) -> None:
    """Send for ever; when an answer is late, what was due meanwhile follows at once."""
    crowd = Crowd(seed=8)
    due = perf_counter()
    async with ClientSession(headers={"Authorization": authorization}) as client:
        while True:
            async with client.post(f"{url}/v1/events", json=crowd.sent_event()) as answer:
                await answer.read()
            due += 1 / EVENTS_PER_SECOND
            await asyncio.sleep(max(0.0, due - perf_counter()))


if __name__ == "__main__":
    uvloop.run(send(sys.argv[1], sys.argv[2]))

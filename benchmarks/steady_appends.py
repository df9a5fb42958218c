"""A steady load on a store, as a process of its own: appends at an even pace, until it is ended.

python -m benchmarks.steady_appends URL SCHEMA EVENTS_PER_SECOND
"""

import asyncio
import sys
from datetime import timedelta
from time import perf_counter

import uvloop

from app.eventstore.database import Database
from app.eventstore.port import Append, Appended, StreamAppend
from app.eventstore.postgres import opened_store
from app.kernel.ids import stream_name
from benchmarks.sample import Crowd

MAX_WAITING = 1_000
"""Appends that were not answered yet: a second's. Then the load is no longer what it should be."""


async def append(database: Database, events_per_second: int) -> None:
    """Append for ever, an event each; none waits for the one before it."""
    crowd = Crowd(seed=9)
    waiting: set[asyncio.Task[Appended]] = set()
    due = perf_counter()
    async with opened_store(database, poll_interval=timedelta(seconds=1)) as store:
        while True:
            customer_id = crowd.customer()
            stream = stream_name("activity", customer_id)
            events = (crowd.event(customer_id),)
            task = asyncio.create_task(store.append(Append((StreamAppend(stream, events),))))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            if len(waiting) > MAX_WAITING:
                raise RuntimeError(f"the store does not take {events_per_second} events/s")
            due += 1 / events_per_second
            await asyncio.sleep(max(0.0, due - perf_counter()))


if __name__ == "__main__":
    url, schema, pace = sys.argv[1:]
    uvloop.run(append(Database(url, schema), int(pace)))

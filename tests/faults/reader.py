"""A process that follows the log for ever, and says on its output what it sees.

python -m tests.faults.reader URL SCHEMA
"""

import asyncio
import sys
from datetime import timedelta

import structlog

from app.eventstore.database import Database
from tests.faults.opening import opened_at_last


async def read(url: str, schema: str) -> None:
    """Print position and id of every event."""
    database = Database(url, schema, accept_data_loss=True)
    async with opened_at_last(database, timedelta(milliseconds=200)) as store:
        async for batch in store.follow(after=0):
            for event in batch:
                sys.stdout.write(f"{event.position} {event.event_id}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(read(*sys.argv[1:]))

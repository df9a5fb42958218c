"""An engine that ends itself by SIGKILL at a named point, the nth time that it comes there.

Run as a module: URL, schema, point, count.
"""

import asyncio
import os
import signal
import sys
from typing import Any

import uvloop

from app.engagement import committing, engine
from app.engagement.running import run_engine
from app.eventstore.batch import Checkpoint, Span
from app.eventstore.database import Connection, Database
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from tests.integration.engagement.stage import POLL, means_of

POINTS = (
    "before the commit of events",
    "behind the commit of events",
    "before the commit of what is due",
    "behind the commit of what is due",
    "in the commit",
)
NEVER = "never"


class Mortal:
    """Stands before the one call that commits."""

    def __init__(self, point: str, count: int) -> None:
        self._point = point
        self._left = count

    def _at(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    async def commit(
        self, connection: Connection, checkpoint: Checkpoint, span: Span, *rest: Any, **more: Any
    ) -> str:
        what = "events" if span.upto > span.after else "what is due"
        self._at(f"before the commit of {what}")
        call = committing.commit(connection, checkpoint, span, *rest, **more)
        committed = asyncio.ensure_future(call)
        await asyncio.sleep(0)  # it is sent now, and nobody knows how far it came
        self._at("in the commit")
        version = await committed
        self._at(f"behind the commit of {what}")
        return version


async def main(database: Database, mortal: Mortal) -> None:
    engine.commit = mortal.commit  # type: ignore[attr-defined] # of this process
    async with (
        opened_store(database, poll_interval=POLL) as store,
        Wakeups(database, POLL) as wakeups,
    ):
        await run_engine(database, wakeups, means_of(store), asyncio.Event())


if __name__ == "__main__":
    url, schema, point, times = sys.argv[1:]
    uvloop.run(main(Database(url, schema, accept_data_loss=True), Mortal(point, int(times))))

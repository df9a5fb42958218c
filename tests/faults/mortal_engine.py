"""An engine that ends itself; run as `tests.faults.mortal` says."""

import asyncio
from typing import Any

import uvloop

from app.engagement import committing, engine
from app.engagement.running import run_engine
from app.eventstore.batch import Checkpoint, Span
from app.eventstore.database import Connection, Database
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from tests.faults.mortal import Mortal
from tests.integration.engagement.stage import means_of
from tests.integration.on_store import POLL

POINTS = (
    "before the commit of events",
    "behind the commit of events",
    "before the commit of what is due",
    "behind the commit of what is due",
    "in the commit",
)


class MortalEngine(Mortal):
    """Stands before the one call that commits."""

    async def commit(
        self, connection: Connection, checkpoint: Checkpoint, span: Span, *rest: Any, **more: Any
    ) -> str:
        what = "events" if span.upto > span.after else "what is due"
        self.at(f"before the commit of {what}")
        call = committing.commit(connection, checkpoint, span, *rest, **more)
        version = await self.amid("in the commit", call)
        self.at(f"behind the commit of {what}")
        return version


async def main(database: Database, mortal: MortalEngine) -> None:
    engine.commit = mortal.commit  # type: ignore[attr-defined] # of this process
    async with (
        opened_store(database, poll_interval=POLL) as store,
        Wakeups(database, POLL) as wakeups,
    ):
        await run_engine(database, wakeups, means_of(store), asyncio.Event())


if __name__ == "__main__":
    database, mortal, _ = MortalEngine.from_arguments()
    uvloop.run(main(database, mortal))

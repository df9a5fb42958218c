"""A reactor that ends itself by SIGKILL at a named point, the nth time that it comes there.

Run as a module: URL, schema, point, count.
"""

import asyncio
import os
import signal
import sys
from typing import Any

import uvloop

from app.eventstore.database import Connection, Database
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.reactions import commit as committing
from app.reactions import reacting, timers
from app.reactions.reactor import Reactor, Rules
from tests.faults.mortal_rules import RULES
from tests.integration.reactions.parcels import CODEC
from tests.integration.reactions.stage import POLL, Unsealed

POINTS = (
    "before the commit of reactions",
    "behind the commit of reactions",
    "before the commit of timers",
    "behind the commit of timers",
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

    async def commit(self, connection: Connection, outcome: Any, **of_reactions: Any) -> None:
        what = "reactions" if of_reactions else "timers"
        if outcome == committing.Outcome():  # nothing but the checkpoint moves
            await committing.commit(connection, outcome, **of_reactions)
            return
        self._at(f"before the commit of {what}")
        committed = asyncio.ensure_future(committing.commit(connection, outcome, **of_reactions))
        await asyncio.sleep(0)  # it is sent now, and nobody knows how far it came
        self._at("in the commit")
        await committed
        self._at(f"behind the commit of {what}")


async def main(database: Database, mortal: Mortal, rules: Rules) -> None:
    reacting.commit = timers.commit = mortal.commit  # type: ignore[attr-defined] # of this process
    async with (
        opened_store(database, poll_interval=POLL) as store,
        Wakeups(database, POLL) as wakeups,
    ):
        reactor = Reactor(
            database, store, wakeups, rules, codec=CODEC, upcasters=(), sealing=Unsealed()
        )
        await reactor.run(asyncio.Event())


if __name__ == "__main__":
    url, schema, point, count = sys.argv[1:]
    uvloop.run(main(Database(url, schema), Mortal(point, int(count)), RULES))

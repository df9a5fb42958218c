"""A reactor that ends itself; run as `tests.faults.mortal` says.

The last argument is by how many seconds its own clock jumps, again and again, if it does.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import count
from threading import Event, Thread
from typing import Any

import time_machine
import uvloop

from app.eventstore.database import Connection, Database
from app.eventstore.postgres import opened_store
from app.eventstore.wakeups import Wakeups
from app.reactions import commit as committing
from app.reactions import reacting, timers
from app.reactions.reactor import Reactor, Rules
from tests.faults.mortal import Mortal
from tests.faults.mortal_rules import RULES
from tests.integration.on_store import POLL
from tests.integration.reactions.parcels import CODEC
from tests.integration.reactions.stage import Unsealed

POINTS = (
    "before the commit of reactions",
    "behind the commit of reactions",
    "before the commit of timers",
    "behind the commit of timers",
    "in the commit",
)
JUMPS_EVERY_S = 0.2


class MortalReactor(Mortal):
    """Stands before the one call that commits."""

    async def commit(self, connection: Connection, outcome: Any, **of_reactions: Any) -> None:
        what = "reactions" if of_reactions else "timers"
        if outcome == committing.Outcome():  # nothing but the checkpoint moves
            await committing.commit(connection, outcome, **of_reactions)
            return
        self.at(f"before the commit of {what}")
        call = committing.commit(connection, outcome, **of_reactions)
        await self.amid("in the commit", call)
        self.at(f"behind the commit of {what}")


@contextmanager
def jumping(by_s: float) -> Iterator[None]:
    """This process's clock jumps to and fro for the time of the block; the store's does not."""
    stop = Event()
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:

        def jump() -> None:
            for number in count():
                if stop.wait(JUMPS_EVERY_S):
                    return
                clock.shift(by_s if number % 2 else -by_s)

        jumper = Thread(target=jump, daemon=True)
        jumper.start()
        yield
        stop.set()


async def main(database: Database, mortal: MortalReactor, rules: Rules) -> None:
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
    database, mortal, jumps = MortalReactor.from_arguments()
    with jumping(float(jumps[0])) if jumps else nullcontext():
        uvloop.run(main(database, mortal, RULES))

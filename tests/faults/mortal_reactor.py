"""A reactor that ends itself by SIGKILL at a named point, the nth time that it comes there.

Run as a module: URL, schema, point, count; and by how many seconds its own clock jumps, again and
again, if it does.
"""

import asyncio
import os
import signal
import sys
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
JUMPS_EVERY_S = 0.2


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
    url, schema, point, times, *jumps = sys.argv[1:]
    with jumping(float(jumps[0])) if jumps else nullcontext():
        database = Database(url, schema, accept_data_loss=True)
        uvloop.run(main(database, Mortal(point, int(times)), RULES))

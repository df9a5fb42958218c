"""Days of all businesses in minutes: the store's clock is moved from one moment to the next.

Whatever is due then is played at once, and comes to rest: the reactor has heard of everything, and
the timers that are due have fired. Then the clock is moved to the next moment at which a story or a
timer has something to do.
"""

import asyncio
import heapq
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from app.simulation.acting import Acting, next_step
from app.simulation.cast import Part, Scheduled
from app.simulation.client import Client
from app.simulation.entries import Log
from app.simulation.scripts import Await, Wait

LEAST_HOP = timedelta(minutes=10)
"""Moments that are nearer to each other than that are one."""
MAX_AT_ONCE = 24
AFTERMATH = timedelta(days=40)
"""Then every timer has fired, those of a month included."""


class Hand(Protocol):
    """On the clock of the store."""

    async def move(self, by: timedelta) -> None:
        """Let time pass, for everybody."""

    async def rest(self) -> None:
        """Wait until all that follows has followed. Raises when it does not in a minute."""

    async def next_timer_in(self) -> timedelta | None:
        """How long it takes until the next timer is due, if there is one."""


class _Waiting(NamedTuple):
    part: Part
    step: Await
    until: timedelta


class Days:
    """Plays stories in the time of the store."""

    def __init__(self, acting: Acting, client: Client, hand: Hand) -> None:
        """It begins now."""
        self._acting = acting
        self._client = client
        self._hand = hand
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self.now = timedelta()
        self.hops = 0
        self.log = Log()
        self._agenda: list[tuple[timedelta, int, Part, Any]] = []
        self._waiting: list[_Waiting] = []
        self._scheduled = 0

    async def play(self, stories: Iterable[Scheduled]) -> None:
        """Play all stories to their ends, and what follows when they are over."""
        for at, part in stories:
            self._schedule(at, part, None)
        while True:
            await self._moment()
            if not (self._agenda or self._waiting):
                break
            await self._hop(await self._next())
        await self._hop(AFTERMATH)
        await self._settle()

    async def _moment(self) -> None:
        """Whatever is due, and what it leads to at once."""
        while due := [*self._due(), *self._answered()]:
            async with asyncio.TaskGroup() as group:
                for part, answer in due:
                    group.create_task(self._play_on(part, answer))
            await self._settle()

    async def _settle(self) -> None:
        await self._hand.rest()
        while page := await self._client.log_after(self.log.position):
            self.log.add(page)

    async def _hop(self, by: timedelta) -> None:
        await self._hand.move(by)
        self.now += by
        self.hops += 1
        await self._settle()

    async def _next(self) -> timedelta:
        moments = [at for at, *_ in self._agenda[:1]] + [each.until for each in self._waiting]
        ahead = [at - self.now for at in moments]
        timer = await self._hand.next_timer_in()
        return max(min([*ahead, timer] if timer is not None else ahead), LEAST_HOP)

    def _due(self) -> Iterable[tuple[Part, Any]]:
        while self._agenda and self._agenda[0][0] <= self.now:
            _, _, part, answer = heapq.heappop(self._agenda)
            yield part, answer

    def _answered(self) -> Iterable[tuple[Part, Any]]:
        """Those for whom the log has what they wait for, or who do not wait any longer."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            stream, types = self.log.stream(each.step.stream), each.step.types
            seen = next((entry.type for entry in stream if entry.type in types), None)
            if seen or each.until <= self.now:
                yield each.part, seen
            else:
                self._waiting.append(each)

    def _schedule(self, at: timedelta, part: Part, answer: Any) -> None:
        heapq.heappush(self._agenda, (at, self._scheduled, part, answer))
        self._scheduled += 1

    async def _play_on(self, part: Part, answer: Any) -> None:
        """Until the story waits again, or ends."""
        async with self._at_once:
            while (step := next_step(part, answer)) is not None:
                match step:
                    case Wait(time) if time > timedelta():
                        return self._schedule(self.now + time, part, None)
                    case Wait():
                        answer = None
                    case Await():
                        waiting = _Waiting(part, step, self.now + step.within)
                        return self._waiting.append(waiting)
                    case _:
                        answer = await self._acting.act(part, step)
        return None

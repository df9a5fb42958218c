"""Carry out the steps of scripts that are no waiting: commands and looks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from app.simulation.cast import Part
from app.simulation.client import Client, Outcome
from app.simulation.messages import Message
from app.simulation.scripts import Await, Look, Step, Together, Wait
from app.simulation.tally import Tally

Turn = Callable[[], Awaitable[None]]
"""Waits until one more command may be sent."""

SECONDS_A_STORY_SECOND = 1 / 600
MAX_LIVE_WAIT_S = 1.0
LIVE_PATIENCE_S = 3.0
LOOK_EVERY_S = 0.1


async def at_once() -> None:
    """Commands are sent as fast as they are answered."""


class Acting:
    """Sends what scripts say, and counts what came of it."""

    def __init__(self, client: Client, tally: Tally, turn: Turn = at_once) -> None:
        """Nothing is sent yet."""
        self._client = client
        self._tally = tally
        self._turn = turn

    async def act(self, part: Part, step: Together | Look) -> Any:
        """What a script is told of a step. Raises `ApiUnavailable`."""
        match step:
            case Look(path):
                return await self._client.look(path)
            case Together(posts):
                sending = [(part.message(post), post.refusals) for post in posts]
                return await asyncio.gather(*(self._send(*each) for each in sending))

    async def live(self, part: Part) -> None:
        """Play a story while real time passes, so that hours of it are moments.

        It waits for what follows from its commands; not for what timers bring in a while.
        """
        answer: Any = None
        while (step := next_step(part, answer)) is not None:
            match step:
                case Wait(time):
                    seconds = time.total_seconds() * SECONDS_A_STORY_SECOND
                    await asyncio.sleep(min(seconds, MAX_LIVE_WAIT_S))
                    answer = None
                case Await():
                    answer = await self._awaited(step)
                case _:
                    answer = await self.act(part, step)

    async def _send(self, message: Message, refusals: frozenset[str]) -> bool:
        await self._turn()
        outcome = await self._client.send(message)
        if outcome.code in refusals:
            outcome = replace(outcome, kind="refused")
        self._tally.count(message, outcome)
        return is_accepted(outcome)

    async def _awaited(self, step: Await) -> str | None:
        deadline = asyncio.get_running_loop().time() + LIVE_PATIENCE_S
        while True:
            seen = await self._client.first_type(step.stream, step.types)
            if seen or asyncio.get_running_loop().time() >= deadline:
                return seen
            await asyncio.sleep(LOOK_EVERY_S)


def is_accepted(outcome: Outcome) -> bool:
    """Whether something was recorded, now or before, or there was nothing to do."""
    return outcome.kind in {"recorded", "repeated"}


def next_step(part: Part, answer: Any) -> Step | None:
    """What a story wants next; None when it has ended."""
    try:
        return part.script.send(answer)
    except StopIteration:
        return None

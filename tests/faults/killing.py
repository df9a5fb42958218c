"""Mortal processes are started again and again, until enough of them have died."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from tests.faults.processes import Processes, Running

PAUSE_S = 0.01


@dataclass(frozen=True, kw_only=True)
class Killing:
    """Which processes end themselves, where, and how often."""

    module: str
    points: Sequence[str]
    """Each has its turn."""
    kills: int
    most_times_before: int
    """How often a process comes to its point, at most, until it ends there."""
    longest_life_s: float
    """How long nothing has died when chance kills one."""
    seed: int


async def kill_again_and_again(started: Processes, killing: Killing, *arguments: str) -> None:
    """Processes that end at each of the points in turn; another stands by all the time."""
    chance = random.Random(killing.seed)

    def mortal(number: int) -> Running:
        times = chance.randint(1, killing.most_times_before)
        point = killing.points[number % len(killing.points)]
        name = f"{killing.module}-{number}"
        return started.start(killing.module, name, point, str(times), *arguments)

    living = [mortal(0), mortal(1)]
    killed, killed_at = 0, monotonic()
    while killed < killing.kills:
        await asyncio.sleep(PAUSE_S)
        if monotonic() - killed_at > killing.longest_life_s:
            chance.choice(living).process.kill()  # each has the work that the other is to die at
        for place, running in enumerate(living):
            if running.process.poll() is not None:
                assert running.process.returncode == -9, running.errors.read_text()
                killed, killed_at = killed + 1, monotonic()
                living[place] = mortal(killed + 1)

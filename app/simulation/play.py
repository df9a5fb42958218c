"""Play a story against the API: the past in batches, the accounts at once, the rest at a rate."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from app.simulation.acting import Acting
from app.simulation.cast import Part
from app.simulation.client import Client
from app.simulation.messages import Message
from app.simulation.rules import RuleSet, set_live
from app.simulation.story import PAST, Story
from app.simulation.tally import Tally

BATCH_EVENTS = 500
LANES = 16
MAX_WAITING_MESSAGES = 8
"""In each lane; beyond that, the story waits."""
COMMANDS_A_STORY = 15
"""Roughly, of a business. They are half of what is sent."""
STORIES_AT_ONCE = 12
MAX_CATCH_UP_SECONDS = 1.0
"""After a stall, messages follow faster for at most what this time had room for."""


async def play(
    story: Story,
    client: Client,
    tally: Tally,
    *,
    live_messages: int,
    per_s: float,
    rules: RuleSet | None = None,
) -> None:
    """Play to the end, or until it is cancelled. Raises `ApiUnavailable`."""
    await client.check()
    if rules is not None:
        tally.phase = "Rules"
        await set_live(rules, client)
    tally.phase = "Past fortnight"
    for batch in _batches(story.past(await _began_at(story, client))):
        for message, outcome in zip(batch, await client.send_events(batch), strict=True):
            tally.count(message, outcome)
    tally.phase = "Accounts"
    await send_all(story.accounts(), client, tally)
    tally.phase = "Live"
    tally.begin_live()
    await _play_live(story, client, tally, live_messages, per_s)
    tally.phase = "Done"


async def _play_live(
    story: Story, client: Client, tally: Tally, messages: int, per_s: float
) -> None:
    """Free events and customers' commands, and beside them the stories of the businesses."""
    stories = messages // (2 * COMMANDS_A_STORY)
    pace = Pace(per_s)
    acting = Acting(client, tally, pace.turn)
    supplies = list(story.supplies()) if stories else []
    free = islice(story.live(), messages - stories * COMMANDS_A_STORY)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_all(_paced(free, pace), client, tally))
            for part in supplies:
                await acting.live(part)
            group.create_task(_tell_all(story.parts(stories), acting))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _tell_all(parts: Iterable[Part], acting: Acting) -> None:
    """Some stories at a time. Those of one person do not wait for each other."""
    left = iter(parts)

    async def tell() -> None:
        for part in left:
            await acting.live(part)

    async with asyncio.TaskGroup() as group:
        for _ in range(STORIES_AT_ONCE):
            group.create_task(tell())


class Pace:
    """Lets through so many a second."""

    def __init__(self, per_s: float) -> None:
        """It begins with the first."""
        self._per_s = per_s
        self._due: float | None = None

    async def turn(self) -> None:
        """Wait for the next turn. After a stall, they follow faster for a moment."""
        now = asyncio.get_running_loop().time
        due = now() if self._due is None else max(self._due, now() - MAX_CATCH_UP_SECONDS)
        self._due = due + 1 / self._per_s
        await asyncio.sleep(due - now())


async def _began_at(story: Story, client: Client) -> datetime:
    """When the story began: the API remembers it if it was told before, for a repeat is the same
    to the last byte; else so that it has come to the present.
    """
    told_before = await client.first_event_at(story.opening_stream)
    return told_before or datetime.now(UTC).replace(microsecond=0) - PAST


def _batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    while batch := list(islice(messages, BATCH_EVENTS)):
        yield batch


async def send_all(messages: Iterable[Message], client: Client, tally: Tally) -> None:
    """Send as fast as they are answered. Raises `ApiUnavailable`."""
    await _send_all(_at_once(messages), client, tally)


async def _at_once(messages: Iterable[Message]) -> AsyncIterator[Message]:
    for message in messages:
        yield message


async def _paced(messages: Iterable[Message], pace: Pace) -> AsyncIterator[Message]:
    for message in messages:
        await pace.turn()
        yield message


async def _send_all(messages: AsyncIterator[Message], client: Client, tally: Tally) -> None:
    """Send many at a time, but what one person does in order: each lane has people of its own."""
    lanes = [asyncio.Queue[Message | None](MAX_WAITING_MESSAGES) for _ in range(LANES)]

    async def send_lane(lane: asyncio.Queue[Message | None]) -> None:
        while message := await lane.get():
            tally.count(message, await client.send(message))

    try:
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(send_lane(lane))
            async for message in messages:
                await lanes[message.person.number % LANES].put(message)
            for lane in lanes:
                await lane.put(None)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None

"""Many drivers claim many rides at once, ask again, and workers are killed meanwhile: each ride has
one winner, and everybody is told the truth, each time.
"""

import asyncio
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from tests.faults.load import insist
from tests.faults.scale import rounds
from tests.fixtures.api import Api, api_of
from tests.fixtures.tidings_up import TidingsUp

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

SEED = 5
RIDES = rounds(few=20, full=1_000)
DRIVERS = [f"driver-{number}" for number in range(rounds(few=10, full=50))]
RIDES_AT_ONCE = 10
KILL_EVERY_WAVES = rounds(few=1, full=4)
LONGEST_BEFORE_A_KILL_S = rounds(few=1, full=3) * 0.1
REQUEST_TIMEOUT_S = 10
OFFER_S = 3_600

Told = dict[tuple[str, str], list[int | str]]
"""By ride and driver: 200, or the code of the refusal, for each time that the driver asked."""


@pytest.fixture
def tidings_up(tmp_path: Path) -> Iterator[TidingsUp]:
    running = TidingsUp(tmp_path, "--workers", "2", max_requests_per_s=0, max_events_per_s=0)
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
async def api(tidings_up: TidingsUp) -> AsyncIterator[Api]:
    async with api_of(tidings_up.url, timeout_seconds=REQUEST_TIMEOUT_S) as client:
        yield client


class Claims:
    """Drivers who claim rides, and what they were told."""

    def __init__(self, api: Api, chance: random.Random) -> None:
        self._api = api
        self._chance = chance
        self.told: Told = defaultdict(list)

    async def offer(self, ride_id: str) -> None:
        """Make the ride known to all drivers."""
        places = {"customer_id": f"rider-{ride_id}", "pickup": "here", "dropoff": "there"}
        asked = {"driver_ids": DRIVERS, "seconds": OFFER_S}
        for command, body in (("request", places), ("offer", asked)):
            target = f"/v1/rides/{ride_id}/{command}"
            answer = await insist(self._api, "POST", target, body, Idempotency_Key=target)
            assert answer.status == 200, answer

    async def claim_at_once(self, ride_ids: list[str]) -> None:
        """All drivers want all of the rides."""
        claims = [(ride_id, driver_id) for ride_id in ride_ids for driver_id in DRIVERS]
        self._chance.shuffle(claims)
        async with asyncio.TaskGroup() as tasks:
            for ride_id, driver_id in claims:
                tasks.create_task(self._claim(ride_id, driver_id, self._chance.random()))

    async def _claim(self, ride_id: str, driver_id: str, chance: float) -> None:
        """Half of them ask again, and half of them have a key for that."""
        target = f"/v1/rides/{ride_id}/claim"
        key = {"Idempotency_Key": f"{ride_id} {driver_id}"} if chance < 0.5 else {}
        for _ in range(1 + (0.25 < chance < 0.75)):
            answer = await insist(self._api, "POST", target, {"driver_id": driver_id}, **key)
            told = 200 if answer.status == 200 else answer.code
            self.told[ride_id, driver_id].append(told)

    async def winners(self) -> dict[str, list[str]]:
        """Who has each ride, as the log says."""
        winners: dict[str, list[str]] = defaultdict(list)
        for event in await self._api.log():
            if event["type"] == "ride.claimed":
                ride_id = event["stream"].removeprefix("ride-")
                winners[ride_id].append(event["data"]["driver_id"])
        return winners


async def kill_soon(up: TidingsUp, name: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    with suppress(ProcessLookupError):
        os.kill(up.children()[name], signal.SIGKILL)


async def test_each_ride_has_one_winner_and_everybody_is_told_the_truth(
    tidings_up: TidingsUp, api: Api
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    claims = Claims(api, chance)
    rides = [f"r{number}" for number in range(RIDES)]
    busy_s, kills = 0.0, 0
    for wave, first in enumerate(range(0, RIDES, RIDES_AT_ONCE)):
        together = rides[first : first + RIDES_AT_ONCE]
        await asyncio.gather(*map(claims.offer, together))
        kill = None
        if wave % KILL_EVERY_WAVES == 0:
            kills += 1
            after_s = chance.uniform(0.0, LONGEST_BEFORE_A_KILL_S)
            kill = asyncio.create_task(kill_soon(tidings_up, f"api-{1 + kills % 2}", after_s))
        began = monotonic()
        await claims.claim_at_once(together)
        busy_s += monotonic() - began
        if kill is not None:
            await kill

    asked = sum(map(len, claims.told.values()))
    print(f"{asked} claims of {RIDES} rides in {busy_s:.1f} s, {kills} workers killed")
    winners = await claims.winners()
    assert {ride_id: len(who) for ride_id, who in winners.items()} == dict.fromkeys(rides, 1)
    assert len(claims.told) == RIDES * len(DRIVERS)
    lies = {
        (ride_id, driver_id): told
        for (ride_id, driver_id), told in claims.told.items()
        if set(told) != ({200} if [driver_id] == winners[ride_id] else {"ride-taken"})
    }
    assert lies == {}
    print(Counter(told for each in claims.told.values() for told in each))

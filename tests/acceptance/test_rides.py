"""Rides over HTTP: one driver wins, and drivers see what is open to them."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from tests.fixtures.api import Api

pytestmark = pytest.mark.anyio

PLACES = {"pickup": "Kanalstraße 3", "dropoff": "Central Station"}
DEADLINE_S = 30


class Ride:
    """A ride of somebody's, and the drivers who are asked."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.ride_id, self.rider = str(uuid4()), f"rider-{uuid4()}"
        self.drivers = [f"driver-{number}-{uuid4()}" for number in range(3)]

    async def send(self, command: str, **body: Any) -> Any:
        """The answer of a command that must succeed."""
        answer = await self._api.post(f"/v1/rides/{self.ride_id}/{command}", body)
        assert answer.status == 200, answer
        return answer.json()

    async def refused(self, command: str, **body: Any) -> tuple[int, str]:
        answer = await self._api.post(f"/v1/rides/{self.ride_id}/{command}", body)
        return answer.status, answer.code

    async def request(self) -> None:
        await self.send("request", customer_id=self.rider, **PLACES)

    async def offer(self, seconds: int = 60) -> int:
        offered = await self.send("offer", driver_ids=self.drivers, seconds=seconds)
        position: int = offered["position"]
        return position

    async def offers_of(self, driver_id: str, position: int) -> list[str]:
        page = await self._api.read(f"/v1/drivers/{driver_id}/offers?min_position={position}")
        return [offer["ride_id"] for offer in page["items"]]


async def test_a_ride_is_offered_claimed_and_driven_and_stands_on_the_riders_timeline(
    api: Api,
) -> None:
    ride = Ride(api)
    await ride.request()
    position = await ride.offer()
    winner, other, third = ride.drivers
    assert await ride.offers_of(winner, position) == [ride.ride_id]
    declined = await ride.send("decline", driver_id=third)
    assert await ride.offers_of(third, declined["position"]) == []
    claimed = await ride.send("claim", driver_id=winner)
    assert await ride.offers_of(other, claimed["position"]) == []
    repeat = await ride.send("claim", driver_id=winner)
    assert repeat == claimed | {"events": []}
    assert await ride.refused("claim", driver_id=other) == (409, "ride-taken")
    for command in ("arrive", "start", "complete"):
        done = await ride.send(command, driver_id=winner)
    assert await ride.refused("cancel") == (409, "ride-ended")
    target = f"/v1/customers/{ride.rider}/timeline?kind=ride&min_position={done['position']}"
    entries = (await api.read(target))["items"]
    assert [entry["title"] for entry in entries] == [
        "Completed the ride",
        f"On the way with {winner}",
        f"Driver {winner} is arriving",
        f"Driver {winner} is coming",
        "A driver declined",
        "Looking for a driver (round 1)",
        "Requested a ride",
    ]
    assert entries[-1]["data"]["pickup"] == PLACES["pickup"]


async def test_of_many_who_claim_at_once_one_wins(api: Api) -> None:
    ride = Ride(api)
    await ride.request()
    await ride.offer()
    target = f"/v1/rides/{ride.ride_id}/claim"
    claims = (api.post(target, {"driver_id": who}) for who in ride.drivers for _ in range(2))
    answers = await asyncio.gather(*claims)
    assert sorted(answer.status for answer in answers) == [200] * 2 + [409] * 4


async def test_what_nobody_requested_is_not_found_and_bad_input_is_named(api: Api) -> None:
    ride = Ride(api)
    assert await ride.refused("claim", driver_id="dina") == (404, "no-such-ride")
    assert await ride.refused("cancel") == (404, "no-such-ride")
    for command, body, field in (
        ("claim", {"driver_id": "a/b"}, "driver_id"),
        ("offer", {"driver_ids": ["dina", ""], "seconds": 1}, "driver_ids[1]"),
        ("offer", {"driver_ids": [], "seconds": 1}, "driver_ids"),
        ("offer", {"driver_ids": ["dina"], "seconds": 0}, "seconds"),
        ("request", {"customer_id": "~v", **PLACES}, "customer_id"),
        ("request", {"customer_id": "anna", **PLACES, "pickup": ""}, "pickup"),
    ):
        answer = await api.post(f"/v1/rides/{ride.ride_id}/{command}", body)
        assert (answer.status, answer.problem["field"]) == (400, field)
    answer = await api.post(f"/v1/rides/{'r' * 151}/cancel", {})
    assert (answer.status, answer.problem["field"]) == (400, "ride_id")


async def test_an_expired_offer_is_neither_shown_nor_claimed(api: Api) -> None:
    ride = Ride(api)
    await ride.request()
    position = await ride.offer(seconds=1)
    await asyncio.sleep(1.1)
    assert await ride.offers_of(ride.drivers[0], position) == []
    assert await ride.refused("claim", driver_id=ride.drivers[0]) == (409, "offer-expired")


async def test_places_are_masked_for_keys_without_the_scope(api: Api) -> None:
    ride = Ride(api)
    await ride.request()
    position = await ride.offer()
    asked = {"name": f"dispatch {uuid4()}", "scopes": ["rides:read"]}
    key = (await api.post("/v1/keys", asked)).json()["key"]
    target = f"/v1/drivers/{ride.drivers[0]}/offers?min_position={position}"
    masked = (await api.get(target, Authorization=f"Bearer {key}")).json()
    assert masked["items"][0]["pickup"] == "•••"
    assert (await api.read(target))["items"][0]["pickup"] == PLACES["pickup"]


async def test_a_driver_hears_live_what_opens_and_closes_and_resumes_without_a_gap(
    api: Api,
) -> None:
    driver = f"driver-{uuid4()}"
    rides = [Ride(api) for _ in range(4)]
    connected = asyncio.Event()
    heard: list[tuple[str, str]] = []

    async def listen() -> None:
        """Three events a connection, then another one that resumes."""
        last: str | None = None
        while True:
            headers = {} if last is None else {"Last-Event-ID": last}
            url = f"{api.url}/v1/drivers/{driver}/offers/live"
            async with api.session.get(url, headers=headers) as response:
                taken, fields = 0, dict[str, str]()
                async for line in response.content:
                    connected.set()
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    fields |= {name: value}
                    if name == "data":
                        heard.append((fields["event"], json.loads(value)["ride_id"]))
                        last, taken = fields["id"], taken + 1
                    if taken == 3:
                        break

    listening = asyncio.create_task(listen())
    await connected.wait()
    expected = []
    for ride in rides:
        ride.drivers[0] = driver
        await ride.request()
        await ride.offer()
        await ride.send("claim", driver_id=ride.drivers[1])
        expected += [("offer", ride.ride_id), ("closed", ride.ride_id)]
    async with asyncio.timeout(DEADLINE_S):
        while len(heard) < len(expected):
            assert not listening.done(), listening.result()
            await asyncio.sleep(0.02)
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening
    assert heard == expected

"""The fleet: riders, a dispatcher who asks several drivers at once, and drivers who race."""

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from app.simulation import words
from app.simulation.businesses.inbox import reading
from app.simulation.crowd import Person
from app.simulation.scripts import Post, Script, Step, ask, awaited, minutes, post, together

DRIVERS = 24
OFFER_S = 60
SEARCH = timedelta(minutes=30)
"""Well beyond how long an offer, and then the search, may last."""

TOO_LATE = ("ride-taken", "ride-ended", "offer-expired", "not-offered")
"""What a driver who claims may hear."""

Claimed = Generator[Step, Any, str | None]
"""Steps that may bring a driver."""


def riding(chance: Random, person: Person, name: str) -> Script:
    """A ride is asked for, and ends: with a driver, or without."""
    pickup, dropoff = chance.sample(words.PLACES, 2)
    trip = {"customer_id": person.customer_id, "pickup": pickup, "dropoff": dropoff}
    for _ in range(chance.choice((1, 1, 1, 2))):
        yield from post(f"rides/{name}/request", **trip)
    drivers = [f"driver-{person.seed}-{n}" for n in chance.sample(range(DRIVERS), 8)]
    search = chance.choices(list(SEARCHES), list(SEARCHES.values()))[0]
    driver = yield from search(chance, name, drivers)
    if driver:
        yield from reading(chance, person, f"ride-claimed:{name}:1")
        yield from _driving(chance, name, driver, drivers)


def _race(chance: Random, name: str, drivers: Sequence[str]) -> Claimed:
    """Some of those who are asked claim at once, and one of them twice; one gets the ride."""
    asked = drivers[: chance.randint(2, 5)]
    yield from _offer(name, asked)
    racing = chance.sample(asked, chance.randint(1, len(asked)))
    claims = [_claim(name, driver) for driver in (*racing, racing[-1])]
    accepted = yield from together(claims)
    return next((each for each, won in zip(racing, accepted, strict=False) if won), None)


def _all_decline(chance: Random, name: str, drivers: Sequence[str]) -> Claimed:
    asked, others = drivers[:2], drivers[2:]
    yield from _offer(name, asked)
    yield from together(ask(f"rides/{name}/decline", driver_id=driver) for driver in asked)
    if not (yield from awaited(f"ride-{name}", "ride.offer_failed")):
        return None
    return (yield from _race(chance, name, others))


def _nobody_answers(chance: Random, name: str, drivers: Sequence[str]) -> Claimed:
    """The offer expires; one of them is too late, and is asked again with others."""
    yield from _offer(name, drivers[:3])
    if not (yield from awaited(f"ride-{name}", "ride.offer_failed", within=SEARCH)):
        return None
    yield from together([_claim(name, drivers[0])])
    return (yield from _race(chance, name, drivers[1:]))


def _nobody_is_asked(_chance: Random, name: str, _drivers: Sequence[str]) -> Claimed:
    yield from awaited(f"ride-{name}", "ride.unserved", within=SEARCH)
    return None


def _rider_gives_up(_chance: Random, name: str, drivers: Sequence[str]) -> Claimed:
    yield from _offer(name, drivers[:3])
    yield from post(f"rides/{name}/cancel")
    yield from together([_claim(name, drivers[0])])
    return None


def _rider_and_driver_race(_chance: Random, name: str, drivers: Sequence[str]) -> Claimed:
    """Whoever is first: in the end, the rider does not want it."""
    yield from _offer(name, drivers[:3])
    yield from together([ask(f"rides/{name}/cancel"), _claim(name, drivers[1])])
    return None


SEARCHES: Mapping[Callable[[Random, str, Sequence[str]], Claimed], int] = {
    _race: 10,
    _all_decline: 2,
    _nobody_answers: 2,
    _nobody_is_asked: 1,
    _rider_gives_up: 1,
    _rider_and_driver_race: 1,
}
"""How a driver is found, or not, and how often."""


def _driving(chance: Random, name: str, driver: str, drivers: Sequence[str]) -> Script:
    """The driver comes, mostly."""
    yield minutes(chance.randint(1, 8))
    surprise = chance.random()
    if surprise < 0.08:
        yield from post(f"rides/{name}/cancel")
        return
    if surprise < 0.18:
        yield from post(f"rides/{name}/withdraw", driver_id=driver)
        others = [each for each in reversed(drivers) if each != driver]  # none has declined it
        another = yield from _race(chance, name, others)
        if another is None:
            return
        driver = another
    steps = ["arrive", "start", "complete"]
    if chance.random() < 0.1:
        steps.remove("arrive")
    for step in steps:
        for _ in range(chance.choice((1, 1, 1, 2))):
            yield from post(f"rides/{name}/{step}", driver_id=driver)
        yield minutes(chance.randint(2, 15))


def _offer(name: str, drivers: Sequence[str]) -> Script:
    yield from post(f"rides/{name}/offer", driver_ids=list(drivers), seconds=OFFER_S)


def _claim(name: str, driver: str) -> Post:
    return ask(f"rides/{name}/claim", *TOO_LATE, driver_id=driver)

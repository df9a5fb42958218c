"""Which stories the crowd's days are made of: a pure function of the seed, like the crowd."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import NamedTuple

from app.simulation.businesses.bank import banking
from app.simulation.businesses.desk import asking
from app.simulation.businesses.fleet import riding
from app.simulation.businesses.player import subscribing, watching
from app.simulation.businesses.shop import shopping, stocking
from app.simulation.crowd import Person, dice, person_of
from app.simulation.messages import EVENTS_PATH, Command, Event, Message
from app.simulation.scripts import Post, Script

Business = Callable[[Random, Person, str], Script]

BUSINESSES: Mapping[Business, int] = {
    shopping: 6,
    riding: 3,
    banking: 3,
    asking: 2,
    watching: 2,
    subscribing: 1,
}
"""What customers have to do with, and how often beside the others."""

WAKING_S = 15 * 3600
"""Of a day; at night there are timers only."""
STORIES_A_DAY = (1, 3)
PEOPLE_A_DELIVERY = 12
"""The warehouse orders for as many at a time."""


class Part:
    """A story that somebody has a part in; each of its commands has a key of its own."""

    def __init__(self, person: Person, name: str, script: Script) -> None:
        """Nothing of it has been told."""
        self.person = person
        self.name = name
        self.script = script
        self._posts = 0

    def message(self, post: Post) -> Message:
        """The next command, as it is sent."""
        key = f"simulated-{self.name}-{self._posts}"
        self._posts += 1
        if post.path == EVENTS_PATH:
            return Message(self.person, Event(id=key, **post.fields))
        thing, _, command = post.path.rpartition("/")
        return Message(self.person, Command(command, post.fields, key, f"{thing}/{command}"))


class Scheduled(NamedTuple):
    """A story, and when it begins."""

    at: timedelta
    part: Part


def supplies(seed: int, people: int, days: int) -> Iterator[Part]:
    """What the warehouse gets: some at once, and as much on each further day."""
    for number in range(0, people, PEOPLE_A_DELIVERY):
        name = f"{seed}-stock-{number}"
        chance = dice(seed, number, "stock")
        yield Part(person_of(seed, number), name, stocking(chance, days))


def part_of(person: Person, number: int) -> Part:
    """A person's story of this number."""
    chance = dice(person.seed, person.number, "business", number)
    business = chance.choices(list(BUSINESSES), list(BUSINESSES.values()))[0]
    name = f"{person.seed}-{person.number}-{number}"
    return Part(person, name, business(chance, person, name))


def days_of(seed: int, people: int, days: int) -> Iterator[Scheduled]:
    """What everybody does on these days, one person after the other."""
    for number in range(people):
        person = person_of(seed, number)
        chance = dice(seed, number, "days")
        count = 0
        for day in range(days):
            for _ in range(chance.randint(*STORIES_A_DAY)):
                at = timedelta(days=day, seconds=chance.randrange(WAKING_S))
                yield Scheduled(at, part_of(person, count))
                count += 1


def live_parts(seed: int, people: int) -> Iterator[Part]:
    """Stories without end, of anybody in turn as chance will have it."""
    chance = dice(seed, people, "businesses")
    told: dict[int, int] = {}
    while True:
        number = chance.randrange(people)
        told[number] = told.get(number, -1) + 1
        yield part_of(person_of(seed, number), told[number])

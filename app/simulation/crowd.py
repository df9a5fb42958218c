"""The people. Each is a pure function of the seed and a number, whoever else is in the crowd."""

from collections.abc import Mapping
from random import Random
from typing import Any

from msgspec import Struct

from app.simulation.words import CITIES, FIRST_NAMES, LANGUAGES, LAST_NAMES, PLANS

NEWCOMER_EVERY = 3
"""Each third person is a visitor at first, who signs up while the simulation runs."""


class Person(Struct, frozen=True):
    """A customer, or a visitor who becomes one."""

    seed: int
    number: int
    first_name: str
    last_name: str
    traits: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.first_name} {self.last_name}"

    @property
    def customer_id(self) -> str:
        """Its own in every crowd of every seed, like the other ids; an id is no place for names."""
        return f"customer-{self.seed}-{self.number}"

    @property
    def anonymous_id(self) -> str:
        """Known by a cookie before they sign up."""
        return f"visitor-{self.seed}-{self.number}"

    @property
    def email(self) -> str:
        """At a domain that is nobody's."""
        return f"{self.first_name}.{self.last_name}.{self.seed}.{self.number}@example.org".lower()

    @property
    def is_newcomer(self) -> bool:
        """Whether they are not a customer yet when the simulation begins."""
        return self.number % NEWCOMER_EVERY == NEWCOMER_EVERY - 1


def dice(*what_for: object) -> Random:
    """Chance that falls the same way each time for the same purpose."""
    return Random("/".join(map(str, what_for)))  # noqa: S311 - repeatable, and no secret


def person_of(seed: int, number: int) -> Person:
    """The person with this number, from 0."""
    chance = dice(seed, number, "person")
    first_name, last_name = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
    traits = {
        "name": f"{first_name} {last_name}",
        "city": chance.choice(CITIES),
        "language": chance.choice(LANGUAGES),
        "plan": chance.choice(PLANS),
    }
    return Person(seed, number, first_name, last_name, traits)

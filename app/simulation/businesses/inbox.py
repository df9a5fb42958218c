"""Customers read what they are told."""

from random import Random

from app.simulation.crowd import Person
from app.simulation.scripts import Script, awaited, minutes, post

READ_SHARE = 0.6


def reading(chance: Random, person: Person, message_id: str) -> Script:
    """A message comes; most are read, and some on two devices."""
    devices = chance.choice((1, 1, 1, 2)) if chance.random() < READ_SHARE else 0
    pause = chance.randint(0, 3)
    if not devices or not (yield from awaited(f"message-{message_id}", "message.requested")):
        return
    yield minutes(pause)
    for _ in range(devices):
        yield from post(f"customers/{person.customer_id}/inbox/{message_id}/read")

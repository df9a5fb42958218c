"""The support desk: questions, answers, silences, bursts, and a machine that answers machines."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

from app.simulation import words
from app.simulation.businesses.inbox import reading
from app.simulation.crowd import Person
from app.simulation.scripts import Script, awaited, hours, minutes, post

ESCALATED_WITHIN = timedelta(days=4)
"""A weekend may be between."""


def asking(chance: Random, person: Person, name: str) -> Script:
    """A question, and what becomes of it."""
    manner = chance.choices(list(MANNERS_OF_ASKING), list(MANNERS_OF_ASKING.values()))[0]
    yield from manner(chance, person, name)


def _opening(chance: Random, person: Person, name: str, **more: Any) -> Script:
    topic, text = chance.choice(words.QUESTIONS)
    question = {
        "customer_id": person.customer_id,
        "text": text,
        "topic": topic,
        "channel": chance.choice(words.CHANNELS),
        "time_zone": chance.choice(words.TIME_ZONES),
    }
    yield from post(f"questions/{name}/open", **question | more)


def _answered(chance: Random, person: Person, name: str) -> Script:
    """Answered once; some ask again although it was resolved."""
    yield from _opening(chance, person, name, desk=chance.choice(("standard", "urgent")))
    yield from reading(chance, person, f"question-acknowledged:{name}")
    yield minutes(chance.randint(5, 50))
    yield from _answering(chance, name)
    yield from post(f"questions/{name}/resolve")
    if chance.random() < 0.25:
        yield hours(chance.randint(1, 12))
        yield from _replying(chance, name, 1)  # reopens it
        yield from _answering(chance, name)
        yield from post(f"questions/{name}/resolve")


def _waited_for(chance: Random, person: Person, name: str) -> Script:
    """We need to know more; the customer says so later, twice as mails do, or never."""
    yield from _opening(chance, person, name)
    yield minutes(chance.randint(5, 90))
    yield from _answering(chance, name)
    yield from post(f"questions/{name}/await-customer")
    if chance.random() < 0.3:
        return
    yield hours(chance.randint(1, 24))
    yield from _replying(chance, name, chance.choice((1, 2)))
    yield minutes(chance.randint(5, 90))
    yield from _answering(chance, name)
    yield from post(f"questions/{name}/resolve")


def _burst(chance: Random, person: Person, name: str) -> Script:
    """Impatient: the same thing several times within a minute. One acknowledgement will do."""
    names = [f"{name}-{number}" for number in range(chance.randint(2, 4))]
    for each in names:
        yield from _opening(chance, person, each)
    yield minutes(chance.randint(20, 90))
    for each in names:
        yield from _answering(chance, each)
        yield from post(f"questions/{each}/resolve")


def _auto_replier(chance: Random, person: Person, name: str) -> Script:
    """On holiday, with a machine that answers whatever comes; ours soon says nothing more."""
    yield from _opening(chance, person, name)
    for number in range(chance.randint(3, 6)):
        reply = {"reply_id": f"{name}-auto-{number}", "text": "I am away until Monday."}
        yield from post(f"questions/{name}/note-reply", **reply, is_automatic=True)
        said = {"text": "We have got your message.", "is_automatic": True}
        yield from post(f"questions/{name}/answer", "answering-machine", **said)
    yield minutes(chance.randint(30, 120))
    yield from _answering(chance, name)
    yield from post(f"questions/{name}/resolve")


def _machine(chance: Random, person: Person, name: str) -> Script:
    """What a machine sent waits for a person, who may never come."""
    yield from _opening(chance, person, name, is_automatic=True)
    if chance.random() < 0.4:
        yield minutes(chance.randint(5, 90))
        yield from _replying(chance, name, 1)
        yield minutes(chance.randint(5, 90))
        yield from _answering(chance, name)
        yield from post(f"questions/{name}/resolve")


def _overlooked(chance: Random, person: Person, name: str) -> Script:
    """Nobody answers until it is escalated."""
    yield from _opening(chance, person, name, desk=chance.choice(("standard", "urgent", "urgent")))
    late = "support.question_escalated"
    if not (yield from awaited(f"question-{name}", late, within=ESCALATED_WITHIN)):
        return
    yield minutes(chance.randint(5, 30))
    yield from _answering(chance, name)
    if chance.random() < 0.8:
        yield from post(f"questions/{name}/resolve")


MANNERS_OF_ASKING: Mapping[Callable[[Random, Person, str], Script], int] = {
    _answered: 5,
    _waited_for: 3,
    _burst: 1,
    _auto_replier: 1,
    _machine: 1,
    _overlooked: 2,
}
"""What becomes of questions, and how often."""


def _answering(chance: Random, name: str) -> Script:
    yield from post(f"questions/{name}/answer", text=chance.choice(words.ANSWERS))


def _replying(chance: Random, name: str, times: int) -> Script:
    reply = {"reply_id": f"{name}-reply", "text": chance.choice(words.REPLIES)}
    for _ in range(times):
        yield from post(f"questions/{name}/note-reply", **reply)

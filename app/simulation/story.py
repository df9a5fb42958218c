"""What the crowd does: a pure function of the seed, the number of people, and the story's start.

A person's part depends on the seed and their number alone, so a larger crowd only adds people. Each
message has an id that the same message always has; a story that is told again repeats itself.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count, islice
from random import Random

from msgspec import UNSET

from app.simulation.cast import Part, Scheduled, days_of, live_parts, supplies
from app.simulation.chapters import (
    SETTINGS_SHARE,
    Instruction,
    Occurrence,
    Scenes,
    any_chapter,
    browsing,
    changing_settings,
)
from app.simulation.crowd import Person, dice, person_of
from app.simulation.messages import Command, Event, Message

PAST = timedelta(days=14)
"""How long the story has been going on when live events begin."""

FIRST_VISITS = timedelta(days=2)
NEWCOMERS_VISIT_AFTER = timedelta(days=12)
LAST_CHAPTER_AFTER = timedelta(days=13)
MAX_GAP_S = 400
UNASKED_EVERY = 4
"""Of so many people, one has not agreed to reminders and offers."""
PAST_CHAPTERS = (2, 4)


class Story:
    """A crowd of `people`, and all that they do."""

    def __init__(self, seed: int, people: int) -> None:
        """Nothing is told yet."""
        self._seed = seed
        self._people = people

    @property
    def opening_stream(self) -> str:
        """The stream whose first event is the first of the past, and so tells when it began."""
        return f"activity-~{person_of(self._seed, 0).anonymous_id}"

    def past(self, began_at: datetime) -> Iterator[Message]:
        """The events of the `PAST`, one person's after the other's; the first is at `began_at`.

        Bounded: some tens of events a person.
        """
        for number in range(self._people):
            yield from _past_of(person_of(self._seed, number), began_at)

    def accounts(self) -> Iterator[Message]:
        """The commands that make customers of those who are none of the newcomers."""
        for number in range(self._people):
            person = person_of(self._seed, number)
            if not person.is_newcomer:
                yield from _told(person, _signing_up(person), "account", count())

    def live(self) -> Iterator[Message]:
        """What happens from now on, without end, by anyone in turn as chance will have it."""
        chance = dice(self._seed, self._people, "live")
        parts: dict[int, Iterator[Message]] = {}
        while True:
            number = chance.randrange(self._people)
            if number not in parts:
                parts[number] = _live_of(person_of(self._seed, number))
            yield next(parts[number])

    def supplies(self) -> Iterator[Part]:
        """What the shop has to sell, so that there is something."""
        return supplies(self._seed, self._people, days=1)

    def parts(self, number: int) -> Iterator[Part]:
        """So many of the stories of businesses, by anyone in turn."""
        return islice(live_parts(self._seed, self._people), number)

    def days(self, days: int) -> Iterator[Scheduled]:
        """What everybody does with the businesses on so many days."""
        yield from (
            Scheduled(timedelta(), part) for part in supplies(self._seed, self._people, days)
        )
        yield from days_of(self._seed, self._people, days)


def _past_of(person: Person, began_at: datetime) -> Iterator[Message]:
    chance = dice(person.seed, person.number, "past")
    ordinals = count()
    at = began_at + _first_visit(person, chance)
    for scene in browsing(chance, ""):
        yield Message(
            person, _event(person, scene, _key(person, "past", ordinals), at, known=False)
        )
        at += _gap(chance)
    if person.is_newcomer:
        return
    first_s, last_s = _seconds(FIRST_VISITS + timedelta(hours=1)), _seconds(LAST_CHAPTER_AFTER)
    chapters = range(chance.randint(*PAST_CHAPTERS))
    for number, start_s in enumerate(sorted(chance.randrange(first_s, last_s) for _ in chapters)):
        at = began_at + timedelta(seconds=start_s)
        for scene in any_chapter(chance)(chance, f"{person.seed}-{person.number}-past-{number}"):
            key = _key(person, "past", ordinals)
            yield Message(person, _event(person, scene, key, at, known=True))
            at += _gap(chance)


def _first_visit(person: Person, chance: Random) -> timedelta:
    if person.number == 0:
        return timedelta()
    visit = timedelta(seconds=chance.randrange(_seconds(FIRST_VISITS / 2)))
    return visit + (NEWCOMERS_VISIT_AFTER if person.is_newcomer else timedelta())


def _live_of(person: Person) -> Iterator[Message]:
    ordinals = count()
    if person.is_newcomer:
        scenes = browsing(dice(person.seed, person.number, "live"), "")
        yield from _told(person, scenes, "live", ordinals, known=False)
        yield from _told(person, _signing_up(person), "live", ordinals)
    for number in count():
        yield from _told(person, _live_chapter(person, number), "live", ordinals)


def _live_chapter(person: Person, number: int) -> Scenes:
    chance = dice(person.seed, person.number, "live", number)
    if chance.random() < SETTINGS_SHARE:
        return changing_settings(chance, number)
    return any_chapter(chance)(chance, f"{person.seed}-{person.number}-live-{number}")


def _signing_up(person: Person) -> Iterator[Instruction]:
    yield Instruction("register", {"traits": person.traits})
    yield Instruction("link-identity", {"kind": "anonymous", "value": person.anonymous_id})
    yield Instruction("link-identity", {"kind": "email", "value": person.email})
    yield Instruction("record-consent", {"channel": "email", "topic": "news"})
    if person.number % UNASKED_EVERY:
        for topic in ("reminders", "offers"):
            yield Instruction("record-consent", {"channel": "inbox", "topic": topic})


def _told(
    person: Person, scenes: Scenes, part: str, ordinals: Iterator[int], *, known: bool = True
) -> Iterator[Message]:
    """Scenes as messages that happen when they are sent."""
    for scene in scenes:
        key = _key(person, part, ordinals)
        if isinstance(scene, Instruction):
            yield Message(person, Command(scene.command, scene.fields, key))
        else:
            yield Message(person, _event(person, scene, key, None, known=known))


def _event(
    person: Person, scene: Occurrence, key: str, at: datetime | None, *, known: bool
) -> Event:
    """What happened to a person, who is known as a customer or as a visitor only."""
    return Event(
        id=key,
        type=scene.type,
        data=scene.data,
        customer_id=person.customer_id if known else UNSET,
        anonymous_id=UNSET if known else person.anonymous_id,
        occurred_at=at or UNSET,
    )


def _key(person: Person, part: str, ordinals: Iterator[int]) -> str:
    return f"simulated-{person.seed}-{person.number}-{part}-{next(ordinals)}"


def _gap(chance: Random) -> timedelta:
    return timedelta(seconds=chance.randint(20, MAX_GAP_S))


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())

"""The rules as they were at a position of the log."""

from collections.abc import AsyncIterator

from app.engagement.decider import RULE
from app.engagement.decider import SETTINGS as SETTINGS_DECIDER
from app.engagement.rulebook import SETTINGS, RuleBook
from app.eventstore.codec import Codec
from app.eventstore.port import EventStore
from app.kernel.event import RecordedEvent

PAGE_EVENTS = 1_000

RULE_TYPES = frozenset(
    event_type.tag for decider in (RULE, SETTINGS_DECIDER) for event_type in decider.events
)
"""The events that change rules, or the settings that hold for all."""

_RULE = f"{RULE.category}-"


def take_in(book: RuleBook, recorded: RecordedEvent, codec: Codec) -> None:
    """Let a book know of an event of one of `RULE_TYPES`."""
    stream = recorded.stream
    name = stream.removeprefix(_RULE) if stream.startswith(_RULE) else SETTINGS
    book.apply(name, codec.decode(recorded), recorded.recorded_at)


async def book_at(store: EventStore, codec: Codec, position: int) -> RuleBook:
    """The rules as they were when the log ended at a position."""
    book = RuleBook()
    for recorded in await changes_between(store, 0, position):
        take_in(book, recorded, codec)
    return book


async def changes_between(store: EventStore, after: int, upto: int) -> list[RecordedEvent]:
    """What changed rules or settings after a position, up to another one, in order."""
    changes = [
        recorded
        for category in (RULE.category, SETTINGS_DECIDER.category)
        async for recorded in _changes(store, category, after, upto)
    ]
    return sorted(changes, key=lambda each: each.position)


async def _changes(
    store: EventStore, category: str, after: int, position: int
) -> AsyncIterator[RecordedEvent]:
    while page := await store.read_category(category, limit=PAGE_EVENTS, after=after):
        for recorded in page:
            if recorded.position > position:
                return
            if recorded.type in RULE_TYPES:
                yield recorded
        after = page[-1].position

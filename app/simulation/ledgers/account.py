"""What an account of a business says: how many things ended how, and what is not accounted for."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from app.simulation.entries import Entry

PUNCTUAL = timedelta(seconds=1)
"""The API's clock is the store's as it was asked last: so much is no matter."""
NEVER = datetime.max.replace(tzinfo=UTC)


class Account:
    """Of one kind of things."""

    def __init__(self, name: str) -> None:
        """Nothing is entered."""
        self.name = name
        self.counts: Counter[str] = Counter()
        """Things, by how they ended, or why they are open."""
        self.wrong: list[str] = []
        """A line for each thing that is not accounted for."""

    def count(self, status: str, number: int = 1) -> None:
        """Things that are accounted for."""
        self.counts[status] += number

    def object(self, complaint: str) -> None:
        """Something is not."""
        self.wrong.append(complaint)

    def once(self, thing: str, entries: Iterable[Entry], types: Iterable[str]) -> None:
        """None of these may happen twice to a thing."""
        happened = Counter(entry.type for entry in entries)
        for each in types:
            if happened[each] > 1:
                self.object(f"{thing}: {each} happened {happened[each]} times")


def first(entries: Sequence[Entry], *types: str) -> Entry | None:
    """The first event of one of these types."""
    return next((entry for entry in entries if entry.type in types), None)


def of_type(entries: Sequence[Entry], *types: str) -> list[Entry]:
    """All events of these types."""
    return [entry for entry in entries if entry.type in types]

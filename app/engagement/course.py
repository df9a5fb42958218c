"""The course of events: what rules make of them and of time, for all customers, in the log's order.

What falls due at the time of an event, or before, is done before it: by due time, then by customer.
The engine runs it over stretches of the log as they come, a backtest over the past; it does no I/O.
"""

from collections.abc import Callable
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from msgspec import Struct

from app.engagement.effects import Decision
from app.engagement.evaluator import Evaluator
from app.engagement.state import CustomerState, Profile, SeenEvent, Totals

_STALE_DUE_TIMES = 1_000
"""That stay until they pass, beside as many as there are people."""


class Decided(NamedTuple):
    """A decision, and of whom."""

    customer_id: str
    decision: Decision


class Trouble(Exception):
    """Something is wrong with a customer, that is nobody else's."""

    def __init__(self, customer_id: str, position: int | None = None) -> None:
        """Take whose, and the event at which it showed; None: when something fell due."""
        super().__init__(customer_id)
        self.customer_id, self.position = customer_id, position


class Person(Struct):
    """A customer on the course."""

    state: CustomerState
    profile: Profile
    due_at: datetime | None
    """When there is something to do, if nothing happens before."""
    size: int
    """Of the state."""


class Course:
    """Events and due times of customers who have joined."""

    def __init__(self, evaluator: Evaluator, totals: Totals, *, lets_go: bool = False) -> None:
        """Begin with nobody; who leaves by themselves, if so, are those of whom nothing is kept."""
        self.totals = totals
        self.kept = 0
        """How many things are kept of all who are here: see `CustomerState.size`."""
        self.people: dict[str, Person] = {}
        self.decided: list[Decided] = []
        self._evaluator = evaluator
        self._lets_go = lets_go
        self._due: list[tuple[datetime, str]] = []

    def join(
        self,
        customer_id: str,
        state: CustomerState,
        profile: Profile,
        due_at: datetime | None = None,
    ) -> None:
        """Take a customer on; `due_at` is earlier than the state says where a rule has resumed."""
        person = self.people[customer_id] = Person(state, profile, None, state.size)
        self.kept += person.size
        self._expect(customer_id, due_at or state.due_at)

    def leave(self, customer_id: str) -> None:
        """Let a customer go, of whom nothing is to be kept; who may join again."""
        self.kept -= self.people.pop(customer_id).size

    def forget(self, customer_id: str) -> None:
        """Keep nothing of a customer, who was erased."""
        person = self.people[customer_id]
        self.kept -= person.size
        person.state, person.due_at, person.size = CustomerState(), None, 0

    def wake(self, rule: str, at: datetime) -> None:
        """A rule was resumed: what it holds back of those who are here is looked at then."""
        for customer_id, person in self.people.items():
            if rule in person.state.held:
                self._expect(customer_id, min(person.due_at or at, at))

    @property
    def due_at(self) -> datetime | None:
        """When something falls due next, or did but for what has happened since."""
        return self._due[0][0] if self._due else None

    def is_due(self, at: datetime) -> bool:
        """Whether something falls due up to a time."""
        return any(due_at <= at for due_at in map(_due_at, self.people.values()) if due_at)

    def until(self, at: datetime) -> None:
        """Do what falls due up to a time. Raises `Trouble`."""
        while self._due and self._due[0][0] <= at:
            due_at, customer_id = heappop(self._due)
            person = self.people.get(customer_id)
            if person is not None and person.due_at == due_at:
                self._fire(customer_id, person, due_at)

    def see(self, event: SeenEvent) -> None:
        """An event happens to its customer, after what fell due before. Raises `Trouble`."""
        self.until(event.at)
        customer_id = event.customer_id
        person = self.people[customer_id]
        self._take(
            customer_id,
            person,
            lambda: self._evaluator.on_event(person.state, self.totals, event, person.profile),
            event.position,
        )
        if person.state.due_at != person.due_at:
            self._expect(customer_id, person.state.due_at)
        self._let_go(customer_id, person)

    def _fire(self, customer_id: str, person: Person, due_at: datetime) -> None:
        self._take(
            customer_id,
            person,
            lambda: self._evaluator.on_due(person.state, self.totals, due_at, person.profile),
        )
        if person.state.due_at is not None and person.state.due_at <= due_at:
            raise Trouble(customer_id) from RuntimeError("it stays due")
        self._expect(customer_id, person.state.due_at)
        self._let_go(customer_id, person)

    def _take(
        self,
        customer_id: str,
        person: Person,
        evaluate: Callable[[], list[Decision]],
        position: int | None = None,
    ) -> None:
        try:
            decisions = evaluate()
        except Exception as error:
            raise Trouble(customer_id, position) from error
        size = person.state.size
        self.kept += size - person.size
        person.size = size
        for decision in decisions:
            self.decided.append(Decided(customer_id, decision))

    def _expect(self, customer_id: str, due_at: datetime | None) -> None:
        self.people[customer_id].due_at = due_at
        if due_at is not None:
            heappush(self._due, (due_at, customer_id))
            if len(self._due) > 2 * len(self.people) + _STALE_DUE_TIMES:
                self._due = [
                    (each.due_at, name) for name, each in self.people.items() if each.due_at
                ]
                heapify(self._due)

    def _let_go(self, customer_id: str, person: Person) -> None:
        if self._lets_go and not person.size:
            self.leave(customer_id)


def _due_at(person: Person) -> datetime | None:
    return person.due_at

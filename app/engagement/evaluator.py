"""The evaluator: what rules make of a customer's events, as pure functions of the log.

The engine runs it live, a backtest over the past; so what it decides rests on nothing else: not on
clocks, databases or the order in which customers are looked at, but for `Totals`.

Time is when the log recorded an event, not when its sender says that it occurred: an event that
comes late counts when it comes. What falls due at the moment of an event falls due before it.

Of one event, a rule first looks at what it has begun (its goal, then what is waited for), then
whether it begins anew; rules go by priority, then by name. For a customer and key there is at most
one instance in a rule's pattern, one in its steps and one that awaits only the goal, the latest.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from app.engagement.case import Case
from app.engagement.effects import Decision
from app.engagement.rulebook import RuleBook
from app.engagement.state import CustomerState, Profile, SeenEvent, Totals
from app.engagement.stretch import Moment


def _no_code(_offer_id: str) -> str:
    """Where nobody sees them, as in a backtest."""
    return ""


def _collection(command: str) -> str:
    return command.partition("/")[0]


class Evaluator:
    """Evaluates the rules of a book."""

    def __init__(
        self,
        book: RuleBook,
        code_of: Callable[[str], str] = _no_code,
        category_of: Callable[[str], str] = _collection,
    ) -> None:
        """Take the rules, which may change from call to call.

        `code_of` tells the code of an offer's id; `category_of` the streams of a command's things.
        """
        self._book = book
        self._code_of = code_of
        self._category_of = category_of

    def on_event(
        self, state: CustomerState, totals: Totals, event: SeenEvent, profile: Profile
    ) -> list[Decision]:
        """What follows from an event; changes the state, and the totals.

        What fell due before the event was recorded has been done: see `on_due`.
        """
        if not self._book.looks_at(event.type):
            return []
        case = self._case(state, totals, profile, event.at, event)
        if profile.is_erased:
            case.forget()
        else:
            case.take_in_changes()
            for name in self._concerned(state, event.type):
                case.see(name, event)
        return case.decisions

    def on_due(
        self, state: CustomerState, totals: Totals, until: datetime, profile: Profile
    ) -> list[Decision]:
        """What fell due up to this time, in order, each at its own time."""
        if not state.instances:
            return []
        case = self._case(state, totals, profile, until, None)
        if profile.is_erased:
            case.forget()
        else:
            case.take_in_changes()
            case.fall_due(until)
        return case.decisions

    def _case(
        self,
        state: CustomerState,
        totals: Totals,
        profile: Profile,
        at: datetime,
        event: SeenEvent | None,
    ) -> Case:
        settings = self._book.settings
        moment = Moment(
            state, totals, profile, settings, at, event, self._code_of, self._category_of
        )
        return Case(self._book, moment)

    def _concerned(self, state: CustomerState, event_type: str) -> Iterable[str]:
        """The rules that look at the type: those that may begin, and those that have."""
        book = self._book
        starting = book.starting(event_type)
        if not state.instances:
            return starting
        begun = {i.rule for i in state.instances if book.looks(i.rule, i.version, event_type)}
        if begun.issubset(starting):
            return starting
        return sorted(begun.union(starting), key=lambda name: (book.rank(name), name))

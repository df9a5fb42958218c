"""What may happen to a case: an analyst says what becomes of the transaction that has its id."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import Struct

from app.kernel.decider import Decider
from app.kernel.errors import NotFound, Refused, UnknownEvent
from app.kernel.event import Event
from app.modules.accounts.events import CaseOpened, CaseResolved, Outcome


class NoSuchCase(NotFound, Refused):
    """There is no such case."""


class ResolvedOtherwise(Refused):
    """The case was resolved otherwise before."""


class OpenCase(Struct, frozen=True):
    """Ask an analyst; nothing when one was asked before."""

    customer_id: str


class ResolveCase(Struct, frozen=True):
    """The analyst's word, once and for all."""

    outcome: Outcome
    analyst: str


CaseCommand = OpenCase | ResolveCase


class Unopened(Struct, frozen=True):
    """There is no case."""


class Opened(Struct, frozen=True):
    """It waits for an analyst."""

    customer_id: str


class Resolved(Struct, frozen=True):
    """An analyst has spoken."""

    customer_id: str
    outcome: Outcome


Case = Unopened | Opened | Resolved


def decide_case(command: CaseCommand, case: Case) -> Sequence[Event]:
    """What follows from a command to a case."""
    match command:
        case OpenCase(customer_id):
            return (CaseOpened(customer_id),) if isinstance(case, Unopened) else ()
        case ResolveCase():
            return _resolve(command, case)
        case _:
            assert_never(command)


def _resolve(command: ResolveCase, case: Case) -> Sequence[Event]:
    match case:
        case Unopened():
            raise NoSuchCase
        case Opened():
            return (CaseResolved(command.outcome, command.analyst),)
        case Resolved(outcome=outcome):
            if outcome is not command.outcome:
                raise ResolvedOtherwise
            return ()
        case _:
            assert_never(case)


def evolve_case(case: Case, event: Event) -> Case:
    """The case after an event."""
    match case, event:
        case Unopened(), CaseOpened(customer_id):
            return Opened(customer_id)
        case Opened(customer_id), CaseResolved(outcome=outcome):
            return Resolved(customer_id, outcome)
        case _:
            raise UnknownEvent(f"{event.tag} is no event of this case")


CASE: Decider[CaseCommand, Case] = Decider(
    category="case",
    initial=Unopened(),
    decide=decide_case,
    evolve=evolve_case,
    events=(CaseOpened, CaseResolved),
    customer_of=lambda case: None if isinstance(case, Unopened) else case.customer_id,
)

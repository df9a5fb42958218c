"""What may happen to a type of events."""

from app.modules.event_types.decider import EVENT_TYPE, DeclareEventType
from app.modules.event_types.events import EventTypeDeclared
from app.testing.specs import given

DECLARED = EventTypeDeclared({"required": ["id"]}, "Placed {id}", "order", ("note",))
OTHERWISE = EventTypeDeclared({"required": []}, "Placed {id}", "order", ("note",))


def test_a_type_is_declared() -> None:
    given(EVENT_TYPE).when(DeclareEventType(DECLARED)).then(DECLARED)


def test_what_is_declared_already_is_nothing_new() -> None:
    given(EVENT_TYPE, DECLARED).when(DeclareEventType(DECLARED)).then_nothing()


def test_a_type_is_declared_anew() -> None:
    given(EVENT_TYPE, DECLARED).when(DeclareEventType(OTHERWISE)).then(OTHERWISE)
    given(EVENT_TYPE, DECLARED, OTHERWISE).when(DeclareEventType(DECLARED)).then(DECLARED)


def test_one_and_true_are_two_schemas() -> None:
    one, true = EventTypeDeclared({"const": 1}), EventTypeDeclared({"const": True})
    given(EVENT_TYPE, one).when(DeclareEventType(true)).then(true)

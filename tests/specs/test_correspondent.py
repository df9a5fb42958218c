"""When a customer's question is acknowledged, and when rather not."""

from datetime import datetime, timedelta

import hypothesis
import pytest
from hypothesis import strategies as st

from app.kernel.errors import UnknownEvent
from app.kernel.event import Event
from app.modules.support.correspondent import BURST_WINDOW, CORRESPONDENT, AcknowledgeQuestion
from app.modules.support.events import AcknowledgementWithheld, QuestionAcknowledged
from app.modules.support.loops import LOOP_WINDOW, MAX_IN_LOOP_WINDOW
from app.testing.specs import SOME_DAY, given
from tests.controls import support as anna


def acknowledge(question_id: str, minutes: float) -> AcknowledgeQuestion:
    return AcknowledgeQuestion(question_id, SOME_DAY + timedelta(minutes=minutes))


def acknowledged(question_id: str, minutes: float) -> Event:
    at = SOME_DAY + timedelta(minutes=minutes)
    return QuestionAcknowledged(question_id, f"Q-{question_id}", at)


def withheld(question_id: str, minutes: float) -> Event:
    return AcknowledgementWithheld(question_id, "loop", SOME_DAY + timedelta(minutes=minutes))


IN_LOOP = (acknowledged("1", 0), acknowledged("2", 15), acknowledged("3", 30))


def test_a_question_is_acknowledged_with_its_reference() -> None:
    given(CORRESPONDENT).when(acknowledge("1", 0)).then(acknowledged("1", 0))


def test_a_question_is_acknowledged_once() -> None:
    given(CORRESPONDENT, acknowledged("1", 0)).when(acknowledge("1", 600)).then_nothing()


def test_what_is_asked_within_ten_minutes_goes_with_the_first() -> None:
    given(CORRESPONDENT, acknowledged("1", 0)).when(acknowledge("2", 9.99)).then_nothing()
    given(CORRESPONDENT, *IN_LOOP).when(acknowledge("4", 39)).then_nothing()


def test_what_is_asked_after_ten_minutes_is_acknowledged() -> None:
    given(CORRESPONDENT, acknowledged("1", 0)).when(acknowledge("2", 10)).then(
        acknowledged("2", 10)
    )


def test_a_fourth_acknowledgement_within_an_hour_is_withheld() -> None:
    given(CORRESPONDENT, *IN_LOOP).when(acknowledge("4", 59)).then(withheld("4", 59))
    given(CORRESPONDENT, *IN_LOOP, withheld("4", 59)).when(acknowledge("4", 60)).then_nothing()


def test_a_loop_stays_cut_until_an_hour_of_silence() -> None:
    cut = (*IN_LOOP, withheld("4", 59), withheld("5", 118))
    given(CORRESPONDENT, *cut).when(acknowledge("6", 177)).then(withheld("6", 177))
    given(CORRESPONDENT, *cut).when(acknowledge("6", 178)).then(acknowledged("6", 178))


def test_three_in_more_than_an_hour_are_no_loop() -> None:
    given(CORRESPONDENT, *IN_LOOP).when(acknowledge("4", 60)).then(acknowledged("4", 60))


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        CORRESPONDENT.fold([anna.resolved])


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(st.integers(0, 70), max_size=60))
def test_however_much_is_asked_there_is_never_too_much_of_it(gaps: list[int]) -> None:
    """Minutes between questions; each comes twice."""
    state, minutes, sent = CORRESPONDENT.initial, 0, list[datetime]()
    for number, gap in enumerate(gaps):
        minutes += gap
        for _ in range(2):
            events = CORRESPONDENT.decide(acknowledge(str(number), minutes), state)
            state = CORRESPONDENT.fold(events, state)
            sent += [each.at for each in events if isinstance(each, QuestionAcknowledged)]
    assert bool(sent) == bool(gaps)
    for n, at in enumerate(sent):
        assert n < 1 or at - sent[n - 1] >= BURST_WINDOW
        assert n < MAX_IN_LOOP_WINDOW or at - sent[n - MAX_IN_LOOP_WINDOW] >= LOOP_WINDOW

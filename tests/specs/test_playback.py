"""What may happen to a playback: reports of its player, late, twice and in any order."""

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from app.kernel.errors import NotFound, UnknownEvent
from app.kernel.event import Event
from app.modules.playback.decider import (
    PLAYBACK,
    AnyReport,
    Finish,
    NoSuchPlayback,
    Pause,
    PlaybackOver,
    PlaybackTaken,
    Resume,
    StartPlayback,
)
from app.modules.playback.events import PlaybackPaused, PlaybackReport
from app.testing.specs import given
from tests.controls import customers as anna
from tests.controls import playback as p

REPORTED = [event for _, event in p.reports]
FINISHED = (p.started, REPORTED[-1])


def test_a_playback_is_started_once() -> None:
    given(PLAYBACK).when(p.start).then(p.started)
    given(PLAYBACK, p.started).when(p.start).then_nothing()
    given(PLAYBACK, *FINISHED).when(p.start).then_nothing()


@pytest.mark.parametrize(
    "other",
    [
        StartPlayback("boris", p.TITLE, p.DEVICE),
        StartPlayback(p.ANNA, "alien", p.DEVICE),
        StartPlayback(p.ANNA, p.TITLE, "phone"),
    ],
)
def test_another_playback_of_that_id_is_refused(other: StartPlayback) -> None:
    given(PLAYBACK, p.started).when(other).then_refused(PlaybackTaken)


@pytest.mark.parametrize(("report", "event"), p.reports)
def test_a_report_is_recorded_with_what_is_played_where(report: AnyReport, event: Event) -> None:
    given(PLAYBACK, p.started).when(report).then(event)


def test_a_pause_tells_how_long_the_title_is_where_that_is_known() -> None:
    started = replace(p.started, length_s=9600)
    paused = PlaybackPaused(p.TITLE, p.DEVICE, 2, 90, 9600)
    given(PLAYBACK, started).when(Pause(2, 90)).then(paused)


@pytest.mark.parametrize(("report", "_event"), p.reports)
def test_a_report_of_a_playback_that_was_never_started_is_refused_as_not_found(
    report: AnyReport, _event: Event
) -> None:
    given(PLAYBACK).when(report).then_refused(NoSuchPlayback)
    assert issubclass(NoSuchPlayback, NotFound)


@pytest.mark.parametrize(("report", "event"), p.reports)
def test_a_report_that_came_before_is_nothing(report: AnyReport, event: Event) -> None:
    given(PLAYBACK, p.started, event).when(report).then_nothing()


@pytest.mark.parametrize(("report", "_event"), p.reports[:-1])
def test_a_report_that_comes_behind_a_later_one_is_nothing(
    report: AnyReport, _event: Event
) -> None:
    later = PlaybackPaused(p.TITLE, p.DEVICE, 5, 30)
    given(PLAYBACK, p.started, later).when(report).then_nothing()
    given(PLAYBACK, *FINISHED).when(report).then_nothing()


def test_a_pause_that_a_later_report_has_overtaken_does_not_stop_it() -> None:
    resumed = p.reports[2][1]
    given(PLAYBACK, p.started).when(Resume(3, 90)).then(resumed)
    given(PLAYBACK, p.started, resumed).when(Pause(2, 90)).then_nothing()


def test_a_customer_may_go_back_in_a_title() -> None:
    back = PlaybackPaused(p.TITLE, p.DEVICE, 7, 10)
    given(PLAYBACK, p.started, REPORTED[4]).when(Pause(7, 10)).then(back)


@pytest.mark.parametrize("late", [Pause(7, 9600), Finish(8, 9600)])
def test_a_report_later_than_the_end_is_refused(late: AnyReport) -> None:
    given(PLAYBACK, *FINISHED).when(late).then_refused(PlaybackOver)


def test_a_playback_is_whose_it_was_started_for() -> None:
    assert PLAYBACK.customer_of(PLAYBACK.initial) is None
    assert PLAYBACK.customer_of(PLAYBACK.fold([p.started])) == p.ANNA
    assert PLAYBACK.customer_of(PLAYBACK.fold(FINISHED)) == p.ANNA


def test_an_event_of_something_else_is_not_folded() -> None:
    with pytest.raises(UnknownEvent):
        PLAYBACK.evolve(PLAYBACK.initial, anna.email_linked)


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(
    st.lists(st.sampled_from([report for report, _ in p.reports]), min_size=1, max_size=12)
)
def test_in_whatever_order_reports_come_the_latest_is_how_things_are(
    arriving: list[AnyReport],
) -> None:
    state: Any = PLAYBACK.fold([p.started])
    recorded: list[Event] = []
    for report in arriving:
        events = PLAYBACK.decide(report, state)
        recorded += events
        state = PLAYBACK.fold(events, state)
    latest = max(arriving, key=lambda report: report.sequence)
    assert state.sequence == latest.sequence
    assert (
        recorded[-1]
        == dict(zip([r.sequence for r, _ in p.reports], REPORTED, strict=True))[latest.sequence]
    )
    sequences = [event.sequence for event in recorded if isinstance(event, PlaybackReport)]
    assert sequences == sorted(set(sequences))

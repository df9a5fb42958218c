"""Days go by in moments: what is due is played, comes to rest, and then time moves on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from app.simulation.acting import Acting
from app.simulation.cast import Part, Scheduled
from app.simulation.client import Client
from app.simulation.crowd import person_of
from app.simulation.days import AFTERMATH, LEAST_HOP, Days
from app.simulation.entries import Entry
from app.simulation.scripts import Look, Script, Together, awaited, hours, post

pytestmark = pytest.mark.anyio

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Store:
    """A store that does nothing by itself but what it is told to, and its clock."""

    def __init__(self, *, timer_at: timedelta | None = None) -> None:
        self.now = timedelta()
        self.log: list[Entry] = []
        self.timer_at = timer_at
        self.acts: list[tuple[timedelta, str, str]] = []

    async def move(self, by: timedelta) -> None:
        self.now += by

    async def rest(self) -> None:
        if self.timer_at is not None and self.timer_at <= self.now:
            self.timer_at = None
            self.record("timer-1", "timer.fired")

    async def next_timer_in(self) -> timedelta | None:
        return None if self.timer_at is None else self.timer_at - self.now

    def record(self, stream: str, type_: str) -> None:
        self.log.append(Entry(len(self.log) + 1, stream, type_, {}, BEGAN + self.now))

    async def log_after(self, position: int) -> Sequence[Entry]:
        return self.log[position:]

    async def act(self, part: Part, step: Together | Look) -> Any:
        assert isinstance(step, Together)
        for each in step.posts:
            self.acts.append((self.now, part.name, each.path))
            self.record(f"thing-{part.name}", "thing.done")
        return [True] * len(step.posts)

    def days(self) -> Days:
        return Days(cast(Acting, self), cast(Client, self), self)


def part(name: str, script: Script) -> Part:
    return Part(person_of(1, 1), name, script)


async def test_stories_are_played_when_it_is_their_time() -> None:
    def tired() -> Script:
        yield from post("things/1/wake")
        yield hours(7)
        yield from post("things/1/sleep")

    store = Store()
    days = store.days()
    starts = [(timedelta(hours=2), part("late", tired())), (timedelta(), part("early", tired()))]
    await days.play(Scheduled(*each) for each in starts)
    assert [(at / timedelta(hours=1), name) for at, name, _ in store.acts] == [
        (0, "early"), (2, "late"), (7, "early"), (9, "late"),
    ]  # fmt: skip
    assert store.now == timedelta(hours=9) + AFTERMATH


async def test_moments_that_are_close_are_one() -> None:
    def single() -> Script:
        yield from post("things/1/wake")

    store = Store()
    starts = [timedelta(seconds=seconds) for seconds in range(1, 61)]
    days = store.days()
    await days.play(Scheduled(each, part(str(each), single())) for each in starts)
    assert {at for at, *_ in store.acts} == {LEAST_HOP}
    assert days.hops == 2


async def test_who_waits_for_a_timer_is_told_when_it_fires() -> None:
    seen: list[str | None] = []

    def patient() -> Script:
        seen.append((yield from awaited("timer-1", "timer.fired", within=timedelta(days=1))))
        yield from post("things/1/go-on")

    store = Store(timer_at=timedelta(hours=5))
    await store.days().play([Scheduled(timedelta(), part("patient", patient()))])
    assert seen == ["timer.fired"]
    assert [at for at, *_ in store.acts] == [timedelta(hours=5)]


async def test_who_waits_in_vain_goes_on_when_the_time_is_over() -> None:
    seen: list[str | None] = []

    def patient() -> Script:
        seen.append((yield from awaited("nothing-1", "never", within=timedelta(hours=3))))

    store = Store()
    await store.days().play([Scheduled(timedelta(), part("patient", patient()))])
    assert seen == [None]
    assert store.now == timedelta(hours=3) + AFTERMATH


async def test_what_has_happened_already_is_not_waited_for() -> None:
    def quick() -> Script:
        yield from post("things/1/begin")
        assert (yield from awaited("thing-quick", "thing.done")) == "thing.done"
        yield from post("things/1/end")

    store = Store()
    await store.days().play([Scheduled(timedelta(), part("quick", quick()))])
    assert [at for at, *_ in store.acts] == [timedelta(), timedelta()]

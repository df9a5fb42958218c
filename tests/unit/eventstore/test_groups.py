"""Which appends travel together: the rules of groups hold for whatever is queued."""

from collections import deque
from collections.abc import Sequence
from itertools import combinations
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.eventstore.groups import (
    MAX_GROUP_BYTES,
    MAX_GROUP_EVENTS,
    MAX_HELD_APPENDS,
    Waiting,
    take_group,
)
from app.eventstore.port import Append, StreamAppend
from tests.controls.events import an_append, an_event

MIB = 1024 * 1024

IDS = [UUID(int=number) for number in range(1, 4)]
"""Ids that come back: a client sends again what it has sent."""


PARTS = st.builds(
    lambda stream, expected, event_ids: StreamAppend(
        stream, tuple(an_event(event_id=event_id) for event_id in event_ids), expected
    ),
    st.sampled_from(["a", "b", "c", "d"]),
    st.none() | st.integers(0, 3),
    st.lists(st.none() | st.sampled_from(IDS), min_size=1, max_size=2),
)
WAITING = st.builds(
    lambda several, events, size_bytes: Waiting(
        Append(tuple(several)), answer=None, records=[b"{}"] * events, size_bytes=size_bytes
    ),
    st.lists(PARTS, min_size=1, max_size=3, unique_by=lambda part: part.stream),
    st.integers(1, 3) | st.sampled_from([300, 999, 1000, 1001]),
    st.sampled_from([100, 1000, MIB, 3 * MIB, 5 * MIB]),
)
QUEUES = st.lists(WAITING, max_size=25)
rule = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def all_groups(waiting: Sequence[Waiting]) -> list[list[Waiting]]:
    queue = deque(waiting)
    groups = []
    while queue:
        groups.append(take_group(queue))
        assert groups[-1], "a queue that is not empty gives a group that is not empty"
    return groups


def streams_of(waiting: Waiting) -> set[str]:
    return {part.stream for part in waiting.append.streams}


def exact_streams_of(waiting: Waiting) -> set[str]:
    return {part.stream for part in waiting.append.streams if part.expected_version is not None}


@rule
@given(QUEUES)
def test_every_append_travels_once(queued: list[Waiting]) -> None:
    travelled = [waiting for group in all_groups(queued) for waiting in group]
    assert sorted(map(id, travelled)) == sorted(map(id, queued))


@rule
@given(QUEUES)
def test_a_group_is_bounded_in_events_and_bytes_unless_one_append_alone_is_larger(
    queued: list[Waiting],
) -> None:
    for group in all_groups(queued):
        if len(group) > 1:
            assert sum(len(waiting.records) for waiting in group) <= MAX_GROUP_EVENTS
            assert sum(waiting.size_bytes for waiting in group) <= MAX_GROUP_BYTES


@rule
@given(QUEUES)
def test_an_append_that_expects_a_version_has_its_streams_to_itself(queued: list[Waiting]) -> None:
    for group in all_groups(queued):
        for one, other in combinations(group, 2):
            assert not exact_streams_of(one) & streams_of(other)
            assert not streams_of(one) & exact_streams_of(other)


@rule
@given(QUEUES)
def test_no_event_id_occurs_twice_in_a_group(queued: list[Waiting]) -> None:
    for group in all_groups(queued):
        for one, other in combinations(group, 2):
            assert not set(one.event_ids) & set(other.event_ids)


@rule
@given(QUEUES)
def test_appends_that_share_a_stream_or_an_id_keep_their_order(queued: list[Waiting]) -> None:
    travelled = [waiting for group in all_groups(queued) for waiting in group]
    place = {id(waiting): number for number, waiting in enumerate(travelled)}
    for earlier, later in combinations(queued, 2):
        if streams_of(earlier) & streams_of(later) or set(earlier.event_ids) & set(later.event_ids):
            assert place[id(earlier)] < place[id(later)]


@rule
@given(st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=30), max_size=12))
def test_appends_sent_together_stay_together_when_they_fit_one_group(
    units: list[list[int]],
) -> None:
    queued = []
    for number, sizes in enumerate(units):
        unit = [
            Waiting(an_append(f"order-{number}-{n}"), answer=number, records=[b"{}"] * size)
            for n, size in enumerate(sizes)
        ]
        unit[0].unit_events = sum(sizes)
        queued += unit

    groups = all_groups(queued)
    for number, sizes in enumerate(units):
        if sum(sizes) <= MAX_GROUP_EVENTS:
            assert sum(any(w.answer == number for w in group) for group in groups) == 1


def test_whatever_fits_travels_at_once() -> None:
    queued = [waiting_for(an_append(f"order-{n % 7}")) for n in range(1500)]
    assert [len(group) for group in all_groups(queued)] == [1000, 500]


def test_a_share_of_a_long_queue_is_taken_and_the_next_one_after_it() -> None:
    queue = deque([alone(an_append(f"order-{n}")) for n in range(100)])
    assert [len(take_group(queue, max_appends=60)) for _ in range(2)] == [60, 40]


def test_no_share_parts_what_was_submitted_together() -> None:
    unit = [waiting_for(an_append(f"order-{n}")) for n in range(100)]
    unit[0].unit_events = 100
    queue = deque([*unit, alone(an_append("order-100"))])
    assert [len(take_group(queue, max_appends=60)) for _ in range(2)] == [100, 1]


def test_the_search_for_what_fits_is_bounded() -> None:
    """Else a long queue for one stream would be searched whole again for each of its appends."""
    same_stream = [
        waiting_for(an_append("order-1", expected_version=n)) for n in range(MAX_HELD_APPENDS + 5)
    ]
    other = waiting_for(an_append("order-2"))
    queue = deque([*same_stream, other])

    assert take_group(queue) == same_stream[:1]
    assert list(queue) == [*same_stream[1:], other]


def alone(append: Append) -> Waiting:
    waiting = waiting_for(append)
    waiting.unit_events = len(waiting.records)
    return waiting


def waiting_for(append: Append) -> Waiting:
    waiting = Waiting(append, answer=None)
    waiting.encode()
    return waiting

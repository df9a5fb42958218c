"""What the store's answer to a group means for each of its appends."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from app.eventstore.group_calls import GroupAnswer
from app.eventstore.groups import Waiting
from app.eventstore.port import Appended, AppendedEvent
from app.kernel.errors import Erased, IdempotencyConflict, StoreUnavailable, WrongExpectedVersion


class _Refusal(Struct, frozen=True):
    append: int
    event_id: str
    position: int | None
    stream: str
    version: int
    type: str | None
    fingerprint: str | None
    erased: bool


_refusals = msgspec.json.Decoder(list[_Refusal])


def tell_outcomes(group: Sequence[Waiting], answer: GroupAnswer) -> None:
    """Tell each caller what became of its append."""
    refused: dict[int, list[_Refusal]] = {}
    for refusal in _refusals.decode(answer.refusals) if answer.refusals else ():
        refused.setdefault(refusal.append, []).append(refusal)
    position = answer.first_position
    remaining = iter(answer.versions)
    for number, waiting in enumerate(group):
        if number in refused:
            waiting.resolve(_refused_outcome(waiting, refused[number]))
            continue
        events = []
        for part in waiting.append.streams:
            for event in part.events:
                version = next(remaining)
                events.append(
                    AppendedEvent(event.event_id, event.type, part.stream, version, position)
                )
                position += 1
        waiting.resolve(Appended(tuple(events)))


def _refused_outcome(waiting: Waiting, refusals: list[_Refusal]) -> Appended | Exception:
    """Why an append was refused: it is recorded already, its customer is erased, or a stream is at
    another version.
    """
    by_id = {refusal.event_id: refusal for refusal in refusals}
    of_events = [by_id[str(event_id)] for event_id in waiting.event_ids]
    recorded = tuple(
        AppendedEvent(UUID(r.event_id), r.type, r.stream, r.version, r.position)
        for r in of_events
        if r.position is not None and r.type is not None
    )
    if recorded:
        if of_events[0].fingerprint != waiting.append.fingerprint or of_events[0].position is None:
            return IdempotencyConflict()
        # Ids that no caller could have sent before were recorded by our own lost attempt.
        lost_attempt = waiting.sent and waiting.append.fingerprint is None
        return Appended(recorded, repeated=not lost_attempt)
    if any(refusal.erased for refusal in of_events):
        return Erased()
    actual = {refusal.stream: refusal.version for refusal in of_events}
    for part in waiting.append.streams:
        if part.expected_version not in {None, actual[part.stream]}:
            return WrongExpectedVersion(
                part.stream, part.expected_version or 0, actual[part.stream]
            )
    return StoreUnavailable("the append was refused for no reason that still holds")

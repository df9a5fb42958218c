"""What a number of commands come to, decided one after the other, and written down as one append.

Each is decided on its stream as those before it leave it. All of it is recorded or nothing, so a
stream that somebody else has appended to meanwhile makes all of it be decided anew.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from msgspec.json import Encoder
from msgspec.structs import replace

from app.eventstore.codec import Codec, encode_metadata
from app.kernel.cipher import CommandSealing
from app.kernel.errors import Refused
from app.kernel.event import Event, NewEvent
from app.kernel.ids import stream_name
from app.kernel.policy import MAX_CHAIN, Send
from app.reactions.causes import Caused, Note
from app.reactions.commit import NewTimer, Outcome
from app.reactions.events import ReactionRefused
from app.reactions.plan import Plan, Planned
from app.reactions.streams import Folded, Streams

CATEGORY = "reaction"

NEW_CHAIN_AFTER = timedelta(minutes=1)
"""What waits so long begins a chain of its own: it comes round again as often as it likes."""

_encoder = Encoder()


def stream_of(send: Send[Any]) -> str:
    """The stream that a command is for."""
    return stream_name(send.decider.category, send.thing_id)


class Decisions:
    """Collects records of `append_events`."""

    def __init__(self, folded: Mapping[str, Folded], codec: Codec) -> None:
        """Begin with nothing, on these streams."""
        self._folded = folded
        self._codec = codec
        self._noted: Counter[str] = Counter()
        self._records: list[bytes] = []

    @property
    def request(self) -> bytes | None:
        """What `append_events` takes; None when nothing was decided."""
        return b"[%b]" % b",".join(self._records) if self._records else None

    def carry_out(self, caused: Caused, command: Any) -> None:
        """Decide on a command, which has been sealed. Raises `Refused`."""
        stream = stream_of(caused.send)
        folded = self._folded[stream]
        before, decided = self.customer_of(caused.send), folded.decided
        events = folded.decide(command)
        customer_id = before or self.customer_of(caused.send)  # some say it only now
        for nth, event in enumerate(events, decided + 1):
            place = b'"expected":%d,"nth":%d,' % (folded.version, nth)
            event_id = caused.event_id(nth - decided - 1)
            self._record(caused, event_id, event, _in(stream, place), customer_id=customer_id)

    def customer_of(self, send: Send[Any]) -> str | None:
        """Whose a command's events are, as far as it can be told now."""
        folded = self._folded[stream_of(send)]
        return send.customer_id or folded.decider.customer_of(folded.state)

    def refuse(self, caused: Caused, refusal: Refused) -> None:
        """Note that nothing follows: the command was refused."""
        noted = ReactionRefused(
            policy=caused.cause.policy,
            cause=caused.cause.event_id,
            command=type(caused.send.command).__name__,
            stream=stream_of(caused.send),
            reason=refusal.code,
            detail=str(refusal),
        )
        stream = stream_name(CATEGORY, caused.cause.policy)
        self._noted[stream] += 1
        place = b'"nth":%d,' % self._noted[stream]
        self._record(caused, caused.event_id(0), noted, _in(stream, place))

    def note(self, note: Note) -> None:
        """Record an event as it is."""
        self._noted[note.stream] += 1
        place = b'{"append":0,"stream":%b,"nth":%d,' % (
            _encoder.encode(note.stream),
            self._noted[note.stream],
        )
        self._records.append(place + _encoder.encode(note.event)[1:])

    def _record(
        self,
        caused: Caused,
        event_id: UUID,
        event: Event,
        place: bytes,
        *,
        customer_id: str | None = None,
    ) -> None:
        new_event = NewEvent(
            event_id=event_id,
            type=event.tag,
            data=self._codec.encode(event),
            metadata=encode_metadata(caused.cause.metadata),
            schema_version=event.schema_version,
            customer_id=customer_id,
        )
        self._records.append(place + _encoder.encode(new_event)[1:])


def _in(stream: str, place: bytes) -> bytes:
    """The beginning of a record: where its event is to stand."""
    return b'{"append":0,"internal":true,"stream":%b,%b' % (_encoder.encode(stream), place)


class ChainTooLong(Refused):
    """At most 16 reactions follow from one another."""


class Deciding:
    """Decides on commands."""

    def __init__(self, streams: Streams, codec: Codec, sealing: CommandSealing) -> None:
        """Take what reads streams, what encodes events, and what seals sensitive fields."""
        self._streams = streams
        self._codec = codec
        self._sealing = sealing

    async def decide(
        self, commands: Sequence[Caused | Note], done: Collection[UUID]
    ) -> bytes | None:
        """The request that records what the commands come to, but for those that are done already.

        They are known by the id of their first event.
        """
        return (await self._decided(commands, done)).request

    async def outcome(self, plan: Plan, done: Collection[UUID]) -> Outcome:
        """What a plan comes to: the same, and timers."""
        decisions = await self._decided(plan.commands, done)
        timers = []
        for planned in plan.timers.values():
            if planned is None:
                continue
            try:
                timers.append(await self._timer(planned))
            except Refused as refusal:
                caused = Caused(planned.cause, planned.ordinal, planned.timer.send)
                decisions.refuse(caused, refusal)
        cancelled = [key for key, planned in plan.timers.items() if planned is None]
        return Outcome(decisions.request, timers=timers, cancelled=cancelled)

    async def _decided(
        self, commands: Sequence[Caused | Note], done: Collection[UUID]
    ) -> Decisions:
        still_open = [each for each in commands if each.event_id(0) not in done]
        sent = [each.send for each in still_open if isinstance(each, Caused)]
        folded, _ = await asyncio.gather(
            self._streams.load({stream_of(send): send.decider for send in sent}),
            self._sealing.prepare((send.customer_id, send.command) for send in sent),
        )
        decisions = Decisions(folded, self._codec)
        for each in still_open:
            if isinstance(each, Note):
                decisions.note(each)
                continue
            try:
                await self._carry_out(each, decisions)
            except Refused as refusal:
                decisions.refuse(each, refusal)
        return decisions

    async def _carry_out(self, caused: Caused, decisions: Decisions) -> None:
        if caused.cause.depth > MAX_CHAIN:
            raise ChainTooLong
        whose = decisions.customer_of(caused.send)
        command = await self._sealing.command(whose, caused.send.command)
        decisions.carry_out(caused, command)

    async def _timer(self, planned: Planned) -> NewTimer:
        """A row of timers; what it holds of a customer is sealed."""
        timer, metadata = planned.timer, planned.cause.metadata
        if planned.wait >= NEW_CHAIN_AFTER:
            metadata = replace(metadata, depth=None)
        elif planned.cause.depth > MAX_CHAIN:
            raise ChainTooLong
        whose = timer.send.customer_id or planned.customer_id
        return NewTimer(
            key=timer.key,
            due_at=timer.due_at,
            category=timer.send.decider.category,
            thing_id=timer.send.thing_id,
            customer_id=timer.send.customer_id,
            command=await self._sealing.command(whose, timer.send.command),
            metadata=metadata,
            set_by=planned.cause.event_id,
        )

"""A world in memory: deciders, policies and timers at work together, a step at a time.

    world = World([FULFILMENT])
    world.send(ORDER, "42", PlaceOrder(…), customer_id="anna")
    world.react()
    world.pass_time(timedelta(minutes=15))
    assert world.happened("order-42") == [OrderPlaced(…), OrderCancelled("not paid in time")]

What the reactor guarantees is so here as well: each event is reacted to once, in the order of the
log; a timer fires once, not early. What it does not guarantee can be played: that policies are
late (`step` instead of `react`), that commands come from elsewhere in between, twice, or too late.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.kernel.decider import Decider
from app.kernel.errors import Refused
from app.kernel.event import Event
from app.kernel.ids import stream_name
from app.kernel.policy import CancelTimer, Happened, Policy, Send, SetTimer
from app.testing.specs import SOME_DAY, check_storable, through_the_wire

MAX_STEPS = 10_000
"""Of one `react`: more would be a chain without an end."""


@dataclass(frozen=True)
class Entry:
    """An event of the world's log."""

    stream: str
    happened: Happened[Any]


@dataclass
class World:
    """All that has happened in it, and what is still to come."""

    policies: Sequence[Policy]
    now: datetime = SOME_DAY
    log: list[Entry] = field(default_factory=list)
    timers: dict[str, SetTimer] = field(default_factory=dict)
    """By their keys."""
    refusals: list[Refused] = field(default_factory=list)
    """Of commands that policies or timers sent."""
    _reacted: int = 0

    def send(
        self,
        decider: Decider[Any, Any],
        thing_id: str,
        command: Any,
        customer_id: str | None = None,
    ) -> list[Event]:
        """Carry out a command, as from outside; the events it made. Raises `Refused`."""
        stream = stream_name(decider.category, thing_id)
        state = self.state(decider, thing_id)
        events = [through_the_wire(decider, event) for event in decider.decide(command, state)]
        after = decider.fold(events, state)
        whose = customer_id or decider.customer_of(state) or decider.customer_of(after)
        for event in events:
            event_id = UUID(int=len(self.log) + 1)
            happened = Happened(event, thing_id, whose, self.now, event_id)
            self.log.append(Entry(stream, happened))
        return events

    def state(self, decider: Decider[Any, Any], thing_id: str) -> Any:
        """A stream's state as it is now."""
        return decider.fold(self.happened(stream_name(decider.category, thing_id)))

    def happened(self, stream: str) -> list[Event]:
        """The events of a stream."""
        return [entry.happened.event for entry in self.log if entry.stream == stream]

    def all(self, event_type: type[Event]) -> list[Event]:
        """The events of a type, in all streams."""
        events = (entry.happened.event for entry in self.log)
        return [event for event in events if isinstance(event, event_type)]

    def step(self) -> bool:
        """Let the policies react to the next event; False when they have reacted to all."""
        if self._reacted == len(self.log):
            return False
        happened = self.log[self._reacted].happened
        self._reacted += 1
        for policy in self.policies:
            for effect in policy.effects_of(happened):
                match effect:
                    case Send():
                        self._send(effect)
                    case SetTimer():
                        check_storable(effect)
                        self.timers[effect.key] = effect
                    case CancelTimer():
                        self.timers.pop(effect.key, None)
        return True

    def react(self) -> None:
        """Let the policies react until nothing more follows."""
        for _ in range(MAX_STEPS):
            if not self.step():
                return
        raise AssertionError("there is no end to what follows")

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass: each timer that falls due fires at its time, and is reacted to."""
        until = self.now + duration
        self.react()
        while due := self.due(until):
            self.now = max(self.now, due.due_at)
            self.fire(due.key)
            self.react()
        self.now = until

    def due(self, at: datetime) -> SetTimer | None:
        """The timer that is due first, of those due at a time."""
        timers = (timer for timer in self.timers.values() if timer.due_at <= at)
        return min(timers, key=lambda timer: (timer.due_at, timer.key), default=None)

    def fire(self, key: str) -> None:
        """Carry out a timer's command, and forget the timer."""
        self._send(self.timers.pop(key).send)

    def _send(self, sent: Send[Any]) -> None:
        try:
            self.send(sent.decider, sent.thing_id, sent.command, sent.customer_id)
        except Refused as refusal:
            self.refusals.append(refusal)

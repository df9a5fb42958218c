"""What a simulation has sent so far, and what became of it."""

import time
from collections import Counter, deque

from app.simulation.client import Outcome
from app.simulation.crowd import Person
from app.simulation.messages import Message

MAX_LATEST = 8
MAX_REASONS = 5


class Tally:
    """Counts; kept small however long the simulation runs."""

    def __init__(self) -> None:
        """Nothing has been sent."""
        self.phase = "Starting"
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        """Why messages were rejected: the first few reasons, and how often each."""
        self.latest: deque[Message] = deque(maxlen=MAX_LATEST)
        self.live = 0
        self._sent_by_person: Counter[int] = Counter()
        self._busiest: Person | None = None
        self._started = time.monotonic()
        self._live_started: float | None = None

    @property
    def sent(self) -> int:
        """How many messages were answered."""
        return self.outcomes.total()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def live_per_s(self) -> float:
        """The rate of live messages so far."""
        if self._live_started is None:
            return 0.0
        return self.live / max(time.monotonic() - self._live_started, 0.001)

    @property
    def busiest(self) -> Person | None:
        """The customer with the most to see."""
        return self._busiest

    def begin_live(self) -> None:
        """Measure the rate from here."""
        self._live_started = time.monotonic()

    def count(self, message: Message, outcome: Outcome) -> None:
        """Note what became of a message."""
        self.outcomes[outcome.kind] += 1
        self.latest.append(message)
        self.live += self._live_started is not None
        if outcome.kind == "rejected":
            if outcome.reason in self.reasons or len(self.reasons) < MAX_REASONS:
                self.reasons[outcome.reason] += 1
            return
        person, sent = message.person, self._sent_by_person
        sent[person.number] += 1
        if message.is_of_customer and (
            self._busiest is None or sent[person.number] > sent[self._busiest.number]
        ):
            self._busiest = person

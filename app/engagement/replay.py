"""The past played again: the course of events by some rules, of which nothing is carried out.

What is decided is what the engine decides on the same events by the same rules. Only those whom
something is kept of stay in memory; all others join anew with their next event. Who they are is
told stretch by stretch, of those whom the stretch is about.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from app.engagement.carrying import category_of
from app.engagement.course import Course, Decided, Trouble
from app.engagement.decider import RULE
from app.engagement.evaluator import Evaluator
from app.engagement.events import RuleResumed
from app.engagement.history import RULE_TYPES
from app.engagement.passage import is_seen, may_trigger, seen
from app.engagement.places import types_of
from app.engagement.profiles import PROFILE_TYPES, Known, evolved, whose
from app.engagement.rule import Rule
from app.engagement.rulebook import SETTINGS, RuleBook
from app.engagement.state import CustomerState, Profile, SeenEvent, Totals
from app.eventstore.codec import Codec
from app.kernel.event import Event, RecordedEvent
from app.modules.customers.events import CustomerErased

Buried = Mapping[datetime, Sequence[str]]
"""Who was erased when: customers, and with them the visitors that they were."""


BYTES_A_CUSTOMER = 2_300
"""That one of whom something is kept takes, with five traits, besides each thing that is kept."""
BYTES_A_THING = 1_000


class Cast:
    """The customers that a stretch of the past is about, as they were where it has come to."""

    def __init__(self, codec: Codec) -> None:
        """Begin with nobody."""
        self._codec = codec
        self.known: dict[str, Known] = {}
        self.heard: set[str] = set()
        """Of whom something was heard in this stretch, known or not."""

    def begin(self, known: dict[str, Known]) -> None:
        """Another stretch, which is about these; they are changed as it goes."""
        self.known, self.heard = known, set()

    def hear(self, recorded: RecordedEvent) -> str:
        """Take in an event of `PROFILE_TYPES`, if it is about one of them; of whom it is."""
        customer_id = whose(recorded.stream)
        self.heard.add(customer_id)
        if (known := self.known.get(customer_id)) is not None:
            self.known[customer_id] = evolved(known, self._codec.decode(recorded))
        return customer_id

    def profile(self, customer_id: str) -> Profile:
        """One of them."""
        return self.known[customer_id].profile


class Trial:
    """One set of rules, and what they make of the past."""

    def __init__(self, profile: Callable[[str], Profile]) -> None:
        """Begin with no rules; `profile` tells a customer's, as of now."""
        self.book = RuleBook()
        self.troubled: set[str] = set()
        """Customers of whom something could not be evaluated; they are left out from there on."""
        self._profile = profile
        evaluator = Evaluator(self.book, category_of=category_of)
        self._course = Course(evaluator, Totals(), lets_go=True)

    def change(self, name: str, event: Event, at: datetime) -> None:
        """Something happens to a rule, or to the settings."""
        self.until(at)
        self.book.apply(name, event, at)
        if isinstance(event, RuleResumed):
            self._course.wake(name, at)

    @property
    def due_at(self) -> datetime | None:
        """See `Course.due_at`."""
        return self._course.due_at

    def until(self, at: datetime) -> None:
        """Do what falls due up to a time."""
        while True:
            try:
                self._course.until(at)
            except Trouble as trouble:
                self._give_up(trouble)
            else:
                return

    def see(self, event: SeenEvent) -> None:
        """Something happens to a customer."""
        customer_id, course = event.customer_id, self._course
        if customer_id in self.troubled or not self.book.looks_at(event.type):
            return
        self.until(event.at)
        if customer_id not in course.people:
            course.join(customer_id, CustomerState(), self._profile(customer_id))
        try:
            course.see(event)
        except Trouble as trouble:
            self._give_up(trouble)

    def meet(self, customer_id: str, at: datetime) -> None:
        """The customer's profile has changed."""
        self.until(at)
        if (person := self._course.people.get(customer_id)) is not None:
            person.profile = self._profile(customer_id)

    def forget(self, customer_id: str) -> None:
        """The customer was erased."""
        if customer_id in self._course.people:
            self._course.leave(customer_id)

    @property
    def kept_bytes(self) -> int:
        """About so much memory is taken by what is kept of customers."""
        course = self._course
        return course.kept * BYTES_A_THING + len(course.people) * BYTES_A_CUSTOMER

    def keeps(self, customer_id: str) -> bool:
        """Whether anything is kept of a customer."""
        return customer_id in self._course.people

    def state(self, customer_id: str) -> CustomerState:
        """What is kept of a customer."""
        person = self._course.people.get(customer_id)
        return CustomerState() if person is None else person.state

    def decided(self) -> list[Decided]:
        """What was decided since this was asked last."""
        found, self._course.decided = self._course.decided, []
        return found

    def _give_up(self, trouble: Trouble) -> None:
        self.troubled.add(trouble.customer_id)
        self.forget(trouble.customer_id)


class Replay:
    """Events of the past, told to some trials."""

    def __init__(self, codec: Codec, trials: int) -> None:
        """So many trials, whose books are empty still."""
        self.cast = Cast(codec)
        self._catalogue = codec.catalogue
        self._buried: Buried = {}
        self.trials = [Trial(self.cast.profile) for _ in range(trials)]

    def changed(self, recorded: RecordedEvent) -> str | None:
        """Of whom something is kept whose profile an event of `PROFILE_TYPES` changes."""
        customer_id = whose(recorded.stream)
        return customer_id if any(trial.keeps(customer_id) for trial in self.trials) else None

    def begin(self, known: dict[str, Known], buried: Buried) -> None:
        """The next stretch: all that it concerns, and who is erased in it."""
        self.cast.begin(known)
        self._buried = buried

    def take(self, recorded: RecordedEvent) -> SeenEvent | None:
        """The next event of the log, if it is none of a rule; as rules see it, when any does."""
        if recorded.type in PROFILE_TYPES:
            self._hear(recorded)
        looks = any(trial.book.looks_at(recorded.type) for trial in self.trials)
        if not (looks and is_seen(recorded, self._catalogue)):
            return None
        event = seen(recorded)
        for trial in self.trials:
            trial.see(event)
        return event

    def _hear(self, recorded: RecordedEvent) -> None:
        customer_id = self.cast.hear(recorded)
        for trial in self.trials:
            trial.meet(customer_id, recorded.recorded_at)
        if recorded.type == CustomerErased.tag:
            gone = {customer_id, *self._buried.get(recorded.recorded_at, ())}
            for trial in self.trials:
                for each in gone:
                    trial.forget(each)


def triggers_of(rules: Sequence[Rule]) -> frozenset[str]:
    """The types of events that any of these rules looks at."""
    looked_at = {event_type for rule in rules for _, event_type in types_of(rule)}
    return frozenset(filter(may_trigger, looked_at)) - RULE_TYPES


def name_of(stream: str) -> str:
    """Whose changes a stream of `RULE_TYPES` holds, as `RuleBook.apply` names it."""
    category, _, name = stream.partition("-")
    return name if category == RULE.category else SETTINGS

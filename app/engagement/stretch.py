"""A stretch of a rule's steps: all that is done at one moment, which makes one decision."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.engagement import limits
from app.engagement.effects import (
    CommandEffect,
    Decision,
    Effect,
    MessageEffect,
    OfferEffect,
    RecordEffect,
)
from app.engagement.events import DecisionMade, Did, Held, Outcome
from app.engagement.expressions import CannotEvaluate
from app.engagement.facts import Facts
from app.engagement.local_time import next_local
from app.engagement.noted import noted
from app.engagement.program import END, Node
from app.engagement.rule import (
    Branch,
    CallCommand,
    End,
    IssueOffer,
    RecordEvent,
    SendMessage,
    Settings,
    Wait,
)
from app.engagement.rulebook import Version
from app.engagement.spans import later
from app.engagement.state import CustomerState, Instance, Profile, SeenEvent, Totals
from app.kernel.errors import first_line
from app.kernel.event import ACTIVITY
from app.kernel.ids import derived_event_id, stream_name

MAX_DETAIL_CHARACTERS = 300
TRIGGER = "trigger"
"""The step of what is no instance yet."""
SOURCE = "engagement"
"""Of the ids that follow from decisions."""


class Moment(Struct):
    """What is decided on: a customer, at a time of the log."""

    state: CustomerState
    totals: Totals
    profile: Profile
    settings: Settings
    at: datetime
    event: SeenEvent | None
    """None when something fell due."""
    code_of: Callable[[str], str]
    category_of: Callable[[str], str]


class Stretch:
    """One, from where an instance goes on; it ends with `decision`."""

    def __init__(
        self, moment: Moment, version: Version, instance: Instance | None, step: str
    ) -> None:
        """`step` is where it goes on, as decisions name it. Without an instance: see `take`."""
        self.held: list[Held] = []
        self._moment = moment
        self._version = version
        if instance is not None:
            self._instance = instance
        self._step = step
        self._did: list[Did] = []
        self._effects: list[Effect] = []
        self._offers: list[tuple[IssueOffer, OfferEffect]] = []
        self._names: frozenset[str] = frozenset()
        self._facts: Facts | None = None
        self._key: str | None = None
        self._is_held_back = False
        self.waits = False
        """Whether it has stopped at a wait, and not at its end."""
        self.because = ""
        """Why it ended, in the words of the step that did it."""
        self.failure: Held | None = None

    def run(self, begin: int) -> None:
        """Go on up to the next wait or the end; what fails ends it."""
        try:
            self._go_on(begin)
        except CannotEvaluate as error:
            self.fail(error)
            self._drop_offers()
        self._issue_offers()

    def fail(self, error: CannotEvaluate) -> None:
        """Note that an expression could not be evaluated."""
        self.failure = Held("failed", first_line(error)[:MAX_DETAIL_CHARACTERS])

    def value(self, place: str) -> Any:
        """An expression's value. Raises `CannotEvaluate`."""
        expression = self._version.compiled.expressions[place]
        self._names |= expression.names
        return expression.evaluate(self._known())

    def holds(self, place: str) -> bool:
        """Whether a condition holds; one that there is not does. Raises `CannotEvaluate`."""
        if place not in self._version.compiled.expressions:
            return True
        value = self.value(place)
        if not isinstance(value, bool):
            raise CannotEvaluate(f"{place} is neither true nor false")
        return value

    def take(self, instance: Instance, step: str) -> None:
        """Go on with an instance that has just taken in what it remembers."""
        self._instance, self._step = instance, step
        self._facts = self._key = None

    def hold_back(self, *held: Held) -> None:
        """Note why something was not done."""
        self.held += held
        self._is_held_back = True

    @property
    def has_acted(self) -> bool:
        """Whether something was done."""
        return bool(self._did)

    def outcome(self) -> Outcome | None:
        """What the stretch came to, as far as its steps say."""
        if self.failure is not None:
            return Outcome.FAILED
        if self._did:
            return Outcome.ACTED
        return Outcome.HELD_BACK if self._is_held_back else None

    def decision(self, outcome: Outcome) -> Decision:
        """The decision with all that was done and held back."""
        moment, instance = self._moment, self._instance
        made = DecisionMade(
            rule=instance.rule,
            rule_version=instance.version,
            instance=instance.id,
            step=self._step,
            outcome=outcome,
            at=moment.at,
            trigger=instance.trigger,
            cause=instance.trigger if moment.event is None else moment.event.event_id,
            held=self.held if self.failure is None else [*self.held, self.failure],
            did=self._did,
            inputs=self._noted(),
        )
        return Decision(self._id("decision", self._step), made, self._effects)

    def _go_on(self, place: int) -> None:
        nodes = self._version.program.nodes
        while place != END:
            node = nodes[place]
            place = node.after
            match node.step:
                case SendMessage():
                    self._send(node, node.step)
                case IssueOffer():
                    if not self._offer(node, node.step):
                        return
                case RecordEvent():
                    self._record(node, node.step)
                case CallCommand():
                    self._call(node, node.step)
                case Branch():
                    place = node.after if self.holds(f"{node.place}.condition") else node.otherwise
                case Wait():
                    self._wait(node, node.step)
                    return
                case End(because=because):
                    self.because = because
                    return

    def _send(self, node: Node, message: SendMessage) -> None:
        moment, rule = self._moment, self._version.rule
        channels, held = limits.open_channels(
            rule, message, moment.state, moment.settings, moment.profile, at=moment.at
        )
        self.held += held
        not_before = limits.quiet_end(rule, moment.settings, moment.profile, moment.at)
        if not channels or self._is_kept_quiet(message, not_before):
            self._drop_offers()
            self.hold_back()
            return
        parameters = self._values(f"{node.place}.parameters", message.parameters)
        self._issue_offers()
        message_id = str(self._id("message", node.path))
        self._did.append(Did("send", stream_name("message", message_id), not_before))
        self._effects.append(
            MessageEffect(
                message_id=message_id,
                kind=message.kind,
                channels=channels,
                priority=rule.priority.value,
                template=message.template,
                text=message.text,
                parameters=parameters,
                not_before=not_before,
            )
        )
        limits.note_sent(moment.state, moment.settings, channels[0], moment.at)

    def _is_kept_quiet(self, message: SendMessage, not_before: datetime | None) -> bool:
        """Whether a message is held back from all, or dropped because it is quiet."""
        rule = self._version.rule
        name = f"{self._instance.rule}/{message.id}"
        mass = limits.held_by_mass(rule.limits.mass, self._moment.totals, name, self._moment.at)
        if mass is not None:
            self.held.append(mass)
            return True
        if not_before is not None:
            self.held.append(Held("quiet_hours", rule.limits.quiet_hours))
        return not_before is not None and rule.limits.quiet_hours == "drop"

    def _offer(self, node: Node, step: IssueOffer) -> bool:
        """Set an offer aside for the message that tells of it; whether there may be one."""
        moment = self._moment
        aside = sum(each.offer == step.offer for each, _offer in self._offers)
        if held := limits.held_by_offer(step, moment.state, moment.totals, moment.at, aside):
            self.hold_back(held)
            return False
        offer_id = str(self._id("offer", node.path))
        expires_at = later(moment.at, step.expires_in)
        self._offers.append((step, OfferEffect(offer_id, step.offer, expires_at)))
        self._instance.inputs["offer.id"] = offer_id
        self._instance.inputs["offer.expires_at"] = expires_at.isoformat()
        self._facts = None
        return True

    def _issue_offers(self) -> None:
        for step, offer in self._offers:
            self._issue(step, offer)
        self._offers.clear()

    def _issue(self, step: IssueOffer, offer: OfferEffect) -> None:
        limits.note_offer(step, self._moment.state, self._moment.totals, self._moment.at)
        self._did.append(Did("offer", stream_name("offer", offer.offer_id)))
        self._effects.append(offer)

    def _drop_offers(self) -> None:
        """Nobody would tell of them."""
        for step, _offer in self._offers:
            self.held.append(Held("not_sent", step.offer))
            self._instance.inputs.pop("offer.id", None)
            self._instance.inputs.pop("offer.expires_at", None)
            self._facts = None
        self._offers.clear()

    def _record(self, node: Node, step: RecordEvent) -> None:
        data = self._values(f"{node.place}.data", step.data)
        self._did.append(Did("record", stream_name(ACTIVITY, self._moment.profile.customer_id)))
        self._effects.append(RecordEffect(self._id("event", node.path), step.type, data))

    def _call(self, node: Node, step: CallCommand) -> None:
        thing_id = self.value(f"{node.place}.id")
        if not isinstance(thing_id, str):
            raise CannotEvaluate(f"{node.place}.id is no text")
        fields = self._values(f"{node.place}.fields", step.fields)
        stream = stream_name(self._moment.category_of(step.command), thing_id)
        self._did.append(Did("command", stream))
        self._effects.append(CommandEffect(step.command, thing_id, fields))

    def _wait(self, node: Node, step: Wait) -> None:
        moment, instance = self._moment, self._instance
        instance.place, instance.due_at = node.path, None
        if step.local_time is not None:
            zone = limits.customers_zone(moment.settings, moment.profile)
            instance.due_at = next_local(moment.at, step.local_time, zone)
        elif (time := step.at_most if step.event is not None else step.time) is not None:
            instance.due_at = later(moment.at, time)
        self.waits = True

    def _values(self, place: str, expressions: Mapping[str, str]) -> dict[str, Any]:
        return {name: self.value(f"{place}.{name}") for name in expressions}

    def _known(self) -> Facts:
        if self._facts is None:
            inputs = self._instance.inputs if self._step != TRIGGER else {}
            if (offer_id := inputs.get("offer.id")) is not None:
                inputs = {**inputs, "offer.code": self._moment.code_of(offer_id)}
            self._facts = Facts(self._moment.profile, self._moment.event, inputs)
        return self._facts

    def _noted(self) -> dict[str, Any]:
        event, names = self._moment.event, self._names
        if event is None or event.event_id != self._instance.trigger:
            names = names | self._version.notes
        return noted(names, self._known()) if names else {}

    def _id(self, kind: str, path: str) -> UUID:
        if self._key is None:
            self._key = self._instance.id.hex
        return _derived(kind, self._key, path)


def plain_decision(instance: Instance, at: datetime, outcome: Outcome, held: Held) -> Decision:
    """A decision by which nothing is done, at a time that nothing was evaluated at."""
    made = DecisionMade(
        rule=instance.rule,
        rule_version=instance.version,
        instance=instance.id,
        step=instance.place,
        outcome=outcome,
        at=at,
        trigger=instance.trigger,
        cause=instance.trigger,
        held=[held],
    )
    return Decision(_derived("decision", instance.id.hex, instance.place), made)


def _derived(kind: str, instance_id: str, path: str) -> UUID:
    """The same for an instance that goes on at the same step."""
    return derived_event_id(SOURCE, kind, f"{instance_id}/{path}", 0)

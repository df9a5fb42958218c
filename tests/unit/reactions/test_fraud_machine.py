"""Whatever comes, in whatever order and however often: every hold is accounted for.

The reactor is late by any number of events, timers are late, answers and signals are repeated and
cross each other and the timeout. Of each transaction, the model knows its status and the answer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from app.kernel.decider import Decider
from app.kernel.errors import Refused
from app.kernel.event import Event
from app.modules.accounts.cases import CASE, NoSuchCase, Opened, ResolveCase, ResolvedOtherwise
from app.modules.accounts.decider import (
    HOLD_AT_SCORE,
    TRANSACTION,
    AlreadyDecided,
    AnsweredOtherwise,
    Confirm,
    Decided,
    Deny,
    NoSuchTransaction,
    NotHeld,
    RecordRisk,
    RecordTransaction,
)
from app.modules.accounts.events import (
    Authority,
    CaseOpened,
    Kind,
    Outcome,
    TransactionBlocked,
    TransactionConfirmed,
    TransactionDenied,
    TransactionHeld,
    TransactionReleased,
    TransactionUnanswered,
)
from app.modules.accounts.instruments import CARD, CardIsFrozen, FrozenCard, UnfreezeCard
from app.modules.messages.events import MessageRequested
from app.reactions.fraud import ANSWER_WITHIN, FRAUD
from app.testing.world import Entry, World
from tests.controls import accounts as a

TRANSACTIONS = {
    "t-1": a.record,
    "t-2": replace(a.record, amount=5),
    "t-3": a.record_transfer,
}
MANY = 100
ids = st.sampled_from(sorted(TRANSACTIONS))
scores = st.sampled_from([HOLD_AT_SCORE, 100, HOLD_AT_SCORE - 1])
askers = st.sampled_from([None, a.ANNA, a.BORIS])
scorers = st.sampled_from(["one", "two"])
durations = st.sampled_from([ANSWER_WITHIN, timedelta(minutes=1), timedelta(hours=1)])


@dataclass
class Model:
    """What is to be true of a transaction."""

    status: str = "unknown"
    says_yes: bool | None = None
    held_at: datetime | None = None
    resolved: Outcome | None = None


class FraudMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World([FRAUD])
        self.models = {thing_id: Model() for thing_id in TRANSACTIONS}
        self.seen = 0
        self.denied_before = 0

    def send(self, decider: Decider[Any, Any], thing_id: str, command: Any) -> type[Refused] | None:
        """The refusal, if it is refused."""
        try:
            self.world.send(decider, thing_id, command, a.ANNA)
        except Refused as refusal:
            return type(refusal)
        return None

    @initialize(thing_ids=st.lists(ids, unique=True), is_asked=st.booleans())
    def some_are_held(self, thing_ids: list[str], is_asked: bool) -> None:
        """So that few steps lead far."""
        for thing_id in thing_ids:
            self.record(thing_id)
            self.signal(thing_id, 100, "one")
        if is_asked:
            self.world.react()

    @rule(thing_id=ids)
    def record(self, thing_id: str) -> None:
        command: RecordTransaction = TRANSACTIONS[thing_id]
        if command.kind is Kind.CARD:
            charge = replace(a.charge, transaction_id=thing_id)
            was_frozen = isinstance(self.world.state(CARD, a.CARD_ID), FrozenCard)
            is_new = self.models[thing_id].status == "unknown"
            refused = self.send(CARD, a.CARD_ID, charge)
            assert refused is (CardIsFrozen if was_frozen and is_new else None)
            if refused:
                return
        assert self.send(TRANSACTION, thing_id, command) is None
        if self.models[thing_id].status == "unknown":
            self.models[thing_id].status = "passed"

    @rule(thing_id=ids, score=scores, scorer=scorers)
    def signal(self, thing_id: str, score: int, scorer: str) -> None:
        model = self.models[thing_id]
        refused = self.send(TRANSACTION, thing_id, RecordRisk(score, (), scorer))
        assert refused is (NoSuchTransaction if model.status == "unknown" else None)
        if model.status == "passed" and score >= HOLD_AT_SCORE:
            model.status, model.held_at = "held", self.world.now

    @rule(thing_id=ids, says_yes=st.booleans(), customer_id=askers)
    def answer(self, thing_id: str, says_yes: bool, customer_id: str | None) -> None:
        model = self.models[thing_id]
        command = Confirm(customer_id) if says_yes else Deny(customer_id)
        refused = self.send(TRANSACTION, thing_id, command)
        if customer_id == a.BORIS:
            assert refused is NoSuchTransaction
            return
        match model.status, model.says_yes:
            case "unknown", _:
                assert refused is NoSuchTransaction
            case "passed", _:
                assert refused is NotHeld
            case _, bool():
                assert refused is (None if model.says_yes is says_yes else AnsweredOtherwise)
            case "decided", None:
                assert refused is AlreadyDecided
            case _:
                assert refused is None
                model.says_yes = says_yes
                if model.status == "held":
                    model.status = "decided"

    @rule(thing_id=ids, outcome=st.sampled_from(Outcome))
    def resolve(self, thing_id: str, outcome: Outcome) -> None:
        model, is_open = self.models[thing_id], isinstance(self.case(thing_id), Opened)
        refused = self.send(CASE, thing_id, ResolveCase(outcome, "analyst-4"))
        if model.resolved is not None:
            assert refused is (None if model.resolved is outcome else ResolvedOtherwise)
        elif not is_open:
            assert refused is NoSuchCase
        else:
            model.resolved = outcome

    @rule(number=st.sampled_from([1, 2, 3, MANY]))
    def react(self, number: int) -> None:
        for _ in range(number):
            self.world.step()

    @rule(duration=durations, fired=st.integers(0, 2))
    def time_goes_by_and_timers_are_late(self, duration: timedelta, fired: int) -> None:
        self.world.now += duration
        for _ in range(fired):
            if due := self.world.due(self.world.now):
                self.world.fire(due.key)

    @rule()
    def unfreeze(self) -> None:
        self.world.react()
        self.send(CARD, a.CARD_ID, UnfreezeCard(a.ANNA))
        self.denied_before = self.denials()

    @invariant()
    def what_reactions_did_fits(self) -> None:
        entries, self.seen = self.world.log[self.seen :], len(self.world.log)
        for entry in entries:
            self.check(entry)

    def check(self, entry: Entry) -> None:
        happened = entry.happened
        model = self.models.get(happened.thing_id, Model())
        match happened.event:
            case TransactionUnanswered():
                assert model.status == "held"
                assert model.held_at is not None
                assert happened.at >= model.held_at + ANSWER_WITHIN
                model.status = "case"
            case TransactionReleased(by=Authority.ANALYST):
                assert (model.status, model.resolved) == ("case", Outcome.RELEASED)
                model.status = "decided"
            case TransactionBlocked(by=Authority.ANALYST):
                assert (model.status, model.resolved) == ("case", Outcome.BLOCKED)
                model.status = "decided"

    def case(self, thing_id: str) -> object:
        return self.world.state(CASE, thing_id)

    def denials(self) -> int:
        """How many events freeze the card."""
        types = (TransactionDenied, TransactionBlocked)
        events = [event for each in types for event in self.world.all(each)]
        return sum(isinstance(event, types) and event.card_id is not None for event in events)

    def count(self, thing_id: str, *types: type[Event]) -> int:
        return sum(isinstance(e, types) for e in self.world.happened(f"transaction-{thing_id}"))

    def teardown(self) -> None:
        """In the end, when the reactor has caught up and time has passed, the books balance."""
        self.world.pass_time(2 * ANSWER_WITHIN)
        self.what_reactions_did_fits()
        assert not self.world.timers
        for thing_id, model in self.models.items():
            held = self.count(thing_id, TransactionHeld)
            decisions = self.count(thing_id, TransactionReleased, TransactionBlocked)
            is_open = isinstance(self.case(thing_id), Opened)
            assert held == decisions + is_open <= 1
            assert is_open is (model.status == "case")
            assert self.count(thing_id, TransactionConfirmed, TransactionDenied) <= 1
            asked = self.world.happened(f"message-transaction-held:{thing_id}")
            assert len(asked) == held
            decided = self.world.state(TRANSACTION, thing_id)
            if isinstance(decided, Decided):
                by_answer = Outcome.RELEASED if model.says_yes else Outcome.BLOCKED
                assert decided.outcome is (model.resolved or by_answer)
        assert len(self.world.all(CaseOpened)) == len(self.world.all(TransactionUnanswered))
        assert len(self.world.all(MessageRequested)) == len(self.world.all(TransactionHeld))
        is_frozen = isinstance(self.world.state(CARD, a.CARD_ID), FrozenCard)
        assert is_frozen is (self.denials() > self.denied_before)
        self.nothing_was_charged_behind_a_freeze()

    def nothing_was_charged_behind_a_freeze(self) -> None:
        tags = [event.tag for event in self.world.happened(f"card-{a.CARD_ID}")]
        assert ("card.frozen", "card.charged") not in list(pairwise(tags))


TestFraud = FraudMachine.TestCase
TestFraud.settings = hypothesis.settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)

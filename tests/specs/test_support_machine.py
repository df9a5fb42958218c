"""Whatever is done to questions, in whatever order: deadlines are met by a simple model.

The model counts, for each quarter of an hour, the questions whose clocks run while a look at the
clock on the wall says that the desk is open. The clocks are put forward in the third night.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from app.kernel.errors import Refused
from app.kernel.policy import SetTimer
from app.modules.support.decider import (
    QUESTION,
    AnsweringMachine,
    AnswerQuestion,
    AwaitCustomer,
    NoSuchQuestion,
    NoteReply,
    OpenQuestion,
    QuestionIsResolved,
    ReopenQuestion,
    ResolveQuestion,
)
from app.modules.support.events import (
    DeadlineNeared,
    QuestionAcknowledged,
    QuestionAnswered,
    QuestionEscalated,
)
from app.modules.support.loops import LOOP_WINDOW, MAX_IN_LOOP_WINDOW
from app.modules.support.policy import SUPPORT
from app.reactions.support_messages import SUPPORT_MESSAGES
from app.testing.world import World

BERLIN = ZoneInfo("Europe/Berlin")
THURSDAY = datetime(2026, 3, 26, 7, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
TEN_DAYS = 960
"""In quarters of an hour."""
LIMITS = ("first_response", "resolution")
ALLOWED = {"standard": (16, 64), "urgent": (4, 32)}
"""Quarters of an hour, to the first response and to the resolution."""
WARNED = {"standard": (12, 48), "urgent": (3, 24)}

ids = st.sampled_from(["1", "2", "urgent"])


@dataclass
class Modelled:
    """A question as the model has it."""

    desk: str
    status: str
    hears_machine: bool
    used: list[int | None] = field(default_factory=lambda: [0, 0])
    """Of each clock, in quarters of an hour; None: it is over."""
    is_answered: bool = False
    last_answer: str | None = None
    replies: set[str] = field(default_factory=set)

    def quarter(self) -> list[tuple[type, str]]:
        """Use up a quarter of an hour; what it leads to."""
        happens: list[tuple[type, str]] = []
        for n, used in enumerate(self.used):
            if used is None:
                continue
            self.used[n] = used + 1
            if used + 1 == WARNED[self.desk][n]:
                happens.append((DeadlineNeared, LIMITS[n]))
            if used + 1 == ALLOWED[self.desk][n]:
                happens.append((QuestionEscalated, LIMITS[n]))
                self.used[n] = None
        return happens

    def reopen(self) -> None:
        self.status = "open"
        self.used = [None if self.is_answered else 0, 0]


class Questions(RuleBasedStateMachine):
    """Commands of people, machines and callbacks, at any time; policies sometimes late."""

    @initialize()
    def begin(self) -> None:
        self.world = World([SUPPORT, SUPPORT_MESSAGES], now=THURSDAY)
        self.model: dict[str, Modelled] = {}
        self.expected: list[tuple[str, type, str, datetime]] = []
        self.timers: list[SetTimer] = []
        self.open_it("1", is_automatic=False, twice=False)
        self.open_it("urgent", is_automatic=False, twice=True)

    def send(self, question_id: str, command: Any, refusal: type[Refused] | None) -> bool:
        """Whether it was accepted, as the model says; then it is nothing when it comes again."""
        refused: type[Refused] | None = None
        try:
            self.world.send(QUESTION, question_id, command)
        except Refused as error:
            refused = type(error)
        assert refused is refusal
        assert refused or not self.world.send(QUESTION, question_id, command)
        return refusal is None

    @rule(question_id=ids, is_automatic=st.booleans(), twice=st.booleans())
    def open_it(self, question_id: str, is_automatic: bool, twice: bool) -> None:
        desk = "urgent" if question_id == "urgent" else "standard"
        command = OpenQuestion(
            "anna", "Why?", "email", "billing", is_automatic, desk, "Europe/Berlin", self.world.now
        )
        for _ in range(1 + twice):
            self.send(question_id, command, None)
        status = "waiting" if is_automatic else "open"
        self.model.setdefault(question_id, Modelled(desk, status, is_automatic))

    @rule(
        question_id=ids,
        text=st.sampled_from(["So.", "Thus.", "Hence."]),
        is_automatic=st.booleans(),
    )
    def answer(self, question_id: str, text: str, is_automatic: bool) -> None:
        question = self.model.get(question_id)
        command = AnswerQuestion(text, is_automatic, self.world.now)
        if question is None:
            self.send(question_id, command, NoSuchQuestion)
            return
        if question.last_answer == text and (is_automatic or question.is_answered):
            self.send(question_id, command, None)
            return
        refusal: type[Refused] | None = None
        if question.status == "resolved":
            refusal = QuestionIsResolved
        elif is_automatic and (question.hears_machine or self.is_loop(question_id)):
            refusal = AnsweringMachine
        if self.send(question_id, command, refusal):
            question.last_answer = text
            if not is_automatic:
                question.is_answered = True
                question.used[0] = None

    def is_loop(self, question_id: str) -> bool:
        """Whether there were three automatic answers in the last hour."""
        times: list[datetime] = [
            entry.happened.event.at
            for entry in self.world.log
            if entry.stream == f"question-{question_id}"
            and isinstance(entry.happened.event, QuestionAnswered)
            and entry.happened.event.is_automatic
        ]
        return sum(self.world.now - at < LOOP_WINDOW for at in times) >= MAX_IN_LOOP_WINDOW

    @rule(question_id=ids)
    def await_customer(self, question_id: str) -> None:
        question = self.model.get(question_id)
        refusal: type[Refused] | None = None
        if question is None:
            refusal = NoSuchQuestion
        elif question.status == "resolved":
            refusal = QuestionIsResolved
        if self.send(question_id, AwaitCustomer(self.world.now), refusal) and question:
            question.status = "waiting"

    @rule(
        question_id=ids,
        reply_id=st.sampled_from("abcdefgh"),
        is_automatic=st.booleans(),
    )
    def reply(self, question_id: str, reply_id: str, is_automatic: bool) -> None:
        question = self.model.get(question_id)
        command = NoteReply(reply_id, "And?", is_automatic, self.world.now)
        self.send(question_id, command, None if question else NoSuchQuestion)
        if question is None or reply_id in question.replies:
            return
        question.replies.add(reply_id)
        question.last_answer, question.hears_machine = None, is_automatic
        if not is_automatic and question.status == "resolved":
            question.reopen()
        elif not is_automatic:
            question.status = "open"

    @rule(question_id=ids, before=st.integers(1, 40), meanwhile=st.integers(1, 40))
    def ask_back(self, question_id: str, before: int, meanwhile: int) -> None:
        self.pass_time(before)
        self.await_customer(question_id)
        self.pass_time(meanwhile)
        self.reply(question_id, f"after {len(self.world.log)}", is_automatic=False)

    @rule(question_id=ids)
    def resolve(self, question_id: str) -> None:
        question = self.model.get(question_id)
        self.send(question_id, ResolveQuestion(), None if question else NoSuchQuestion)
        if question:
            question.status = "resolved"

    @rule(question_id=ids)
    def reopen(self, question_id: str) -> None:
        question = self.model.get(question_id)
        command = ReopenQuestion(self.world.now)
        self.send(question_id, command, None if question else NoSuchQuestion)
        if question and question.status == "resolved":
            question.reopen()

    @rule(steps=st.integers(1, 8))
    def react_a_little(self, steps: int) -> None:
        for _ in range(steps):
            self.world.step()
        self.timers += self.world.timers.values()

    @rule(quarters=st.integers(1, 10) | st.integers(1, 200))
    def pass_time(self, quarters: int) -> None:
        self.world.react()
        self.timers += self.world.timers.values()
        for _ in range(quarters):
            self.count_a_quarter(self.world.now)
            self.world.pass_time(QUARTER)
        assert not self.world.refusals
        self.check_timers()

    def count_a_quarter(self, begins: datetime) -> None:
        there = begins.astimezone(BERLIN)
        at_the_office = there.weekday() < 5 and 9 <= there.hour < 17
        for question_id, question in self.model.items():
            if question.status == "open" and (at_the_office or question.desk == "urgent"):
                for kind, limit in question.quarter():
                    self.expected.append((question_id, kind, limit, begins + QUARTER))

    def check_timers(self) -> None:
        """There is a timer for each clock that runs, and for no other."""
        running = {
            f"{LIMITS[n].replace('_', '-')}-deadline:question-{question_id}"
            for question_id, question in self.model.items()
            for n, used in enumerate(question.used)
            if used is not None and question.status == "open"
        }
        assert {key for key in self.world.timers if "-deadline:" in key} == running

    @rule(choice=st.randoms(use_true_random=False))
    def a_timer_that_is_over_comes_again(self, choice: Any) -> None:
        over = [timer for timer in self.timers if timer.due_at <= self.world.now]
        if over:
            sent = choice.choice(over).send
            assert not self.world.send(QUESTION, sent.thing_id, sent.command)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for question_id in self.model:
                self.reply(question_id, "the last", is_automatic=False)
            self.pass_time(TEN_DAYS)
            self.check_deadlines()
            self.check_acknowledgements()

    def check_deadlines(self) -> None:
        happened = [
            (entry.happened.thing_id, type(event), event.limit, entry.happened.at)
            for entry in self.world.log
            if isinstance(event := entry.happened.event, DeadlineNeared | QuestionEscalated)
        ]
        assert sorted(happened, key=repr) == sorted(self.expected, key=repr)

    def check_acknowledgements(self) -> None:
        times = self.world.all(QuestionAcknowledged)
        assert times
        told = [each for each in self.world.log if "-question-acknowledged:" in each.stream]
        assert len(told) == len(times)


TestQuestions = Questions.TestCase
TestQuestions.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

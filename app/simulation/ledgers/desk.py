"""The desk's books: what became of every question, its deadlines and its acknowledgement."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from app.simulation.entries import Entry, Log
from app.simulation.ledgers.account import PUNCTUAL, Account, of_type

BURST = timedelta(minutes=10)
LIMITS = ("first_response", "resolution")


def questions(log: Log, now: datetime) -> Account:
    """Every question is resolved, waits for somebody, or was escalated."""
    account = Account("questions")
    for question_id, events in log.things("question"):
        _Question(account, f"question {question_id}").follow(events, now)
    return account


class _Question:
    def __init__(self, account: Account, thing: str) -> None:
        self._account = account
        self._thing = thing
        self._status = "unknown"
        self._due: dict[str, datetime] = {}
        """The clocks that run."""
        self._escalated: Counter[tuple[str, str]] = Counter()

    def follow(self, events: Sequence[Entry], now: datetime) -> None:
        """Event by event, and then to its end."""
        for entry in events:
            self._enter(entry)
        late = [limit for limit, due_at in self._due.items() if due_at < now]
        for limit in late:
            self._account.object(f"{self._thing}: {limit} is overdue, and was not escalated")
        if not late:
            self._account.count(self._status)

    def _enter(self, entry: Entry) -> None:
        data = entry.data
        match entry.type:
            case "support.question_opened" if data["is_automatic"]:
                self._status = "a machine's, waiting for a person"
            case (
                "support.question_opened" | "support.question_resumed" | "support.question_reopened"
            ):
                self._status = "open, in time"
                running = {limit: data[limit] for limit in LIMITS if data[limit]}
                self._due = {
                    limit: datetime.fromisoformat(deadline["due_at"])
                    for limit, deadline in running.items()
                }
            case "support.question_answered" if not data["is_automatic"]:
                self._due.pop("first_response", None)
                self._status = "answered"
            case "support.customer_awaited":
                self._due, self._status = {}, "waiting for the customer"
            case "support.question_resolved":
                self._due, self._status = {}, "resolved"
            case "support.question_escalated":
                self._escalate(entry)

    def _escalate(self, entry: Entry) -> None:
        limit, due_at = entry.data["limit"], entry.data["due_at"]
        self._status = "escalated"
        self._escalated[limit, due_at] += 1
        if self._due.pop(limit, None) is None:
            again = "again" if self._escalated[limit, due_at] > 1 else "although it was not due"
            self._account.object(f"{self._thing}: {limit} was escalated {again}")
        elif entry.recorded_at + PUNCTUAL < datetime.fromisoformat(due_at):
            self._account.object(f"{self._thing}: {limit} was escalated too early")


def acknowledgements(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """Each question is acknowledged, once a burst, unless a machine seems to write."""
    account = Account("acknowledgements")
    sent: dict[str, list[datetime]] = {}
    answered: Counter[str] = Counter()
    for customer_id, events in log.things("correspondent"):
        for entry in events:
            question_id, at = entry.data["question_id"], datetime.fromisoformat(entry.data["at"])
            answered[question_id] += 1
            if entry.type == "support.acknowledgement_withheld":
                account.count("withheld")
                continue
            times = sent.setdefault(customer_id, [])
            if times and at - times[-1] < BURST:
                account.object(f"question {question_id}: acknowledged in the middle of a burst")
            times.append(at)
            account.count("sent")
            stream = log.stream(f"message-question-acknowledged:{question_id}")
            if len(of_type(stream, "message.requested")) != 1:
                account.object(f"question {question_id}: the customer was not told once")
    for question_id, events in log.things("question"):
        _acknowledged(account, question_id, events[0], answered[question_id], sent)
    return account


def _acknowledged(
    account: Account,
    question_id: str,
    opened: Entry,
    answers: int,
    sent: dict[str, list[datetime]],
) -> None:
    if opened.data["is_automatic"]:
        if answers:
            account.object(f"question {question_id}: a machine's, and acknowledged")
        return
    at = opened.recorded_at
    if answers > 1:
        account.object(f"question {question_id}: acknowledged {answers} times")
    elif not answers:
        times = sent.get(opened.data["customer_id"], ())
        if any(timedelta() <= at - each < BURST for each in times):
            account.count("one for a burst")
        else:
            account.object(f"question {question_id}: never acknowledged")

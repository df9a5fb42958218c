"""Books of what rules decided: each thing once, and done as it was decided."""

from collections import Counter
from datetime import datetime

from app.simulation.entries import Entry, Log
from app.simulation.ledgers.account import Account, of_type

BEGINS = {"send": "message.requested", "offer": "offer.issued"}
"""What the things that decisions make begin with."""
CALLED = {"transaction": "transaction.risk_recorded", "question": "support.question_opened"}
"""What the commands that the ready-made rules call come to."""
UPDATES = "order-updates"


def decisions(log: Log, now: datetime) -> Account:  # noqa: ARG001 - as all accounts
    """Nothing is decided twice; what is decided is done, and nothing is done without."""
    account = Account("decisions")
    steps: Counter[tuple[str, str]] = Counter()
    done: Counter[str] = Counter()
    for decision_id, events in log.things("decision"):
        account.once(f"decision {decision_id}", events, ("decision.made",))
        made = events[0].data
        steps[made["instance"], made["step"]] += 1
        for did in made["did"]:
            done[did["stream"]] += did["what"] in BEGINS
            _done(account, log, f"{made['rule']} ({decision_id})", did)
        if made["outcome"] == "failed":
            account.object(f"{made['rule']} ({decision_id}) failed: {made['held'][-1]['detail']}")
        account.count(f"{made['outcome'].replace('_', ' ')} by {made['rule']}")
    for (instance, step), times in steps.items():
        if times > 1:
            account.object(f"instance {instance}: {step} was decided {times} times")
    _caused(account, log, done)
    _orders(account, log)
    return account


def _done(account: Account, log: Log, thing: str, did: dict[str, str]) -> None:
    stream = did["stream"]
    category = stream.partition("-")[0]
    begins = BEGINS.get(did["what"]) or CALLED.get(category)
    if begins and not of_type(log.stream(stream), begins):
        account.object(f"{thing}: {stream} has no {begins}")


def _caused(account: Account, log: Log, done: Counter[str]) -> None:
    """Whatever rules have said or issued was decided, by one of them, once."""
    for entry in log.entries:
        if entry.type in BEGINS.values() and _is_rules(entry) and done[entry.stream] != 1:
            account.object(f"{entry.stream} was decided {done[entry.stream]} times")


def _is_rules(entry: Entry) -> bool:
    return str(entry.metadata.get("actor", "")).startswith("rule:")


def _orders(account: Account, log: Log) -> None:
    """Every order that is confirmed begins its updates, if that rule is live."""
    live = of_type(log.stream(f"rule-{UPDATES}"), "rule.went_live")
    if not live:
        return
    begun = Counter(
        events[0].data["trigger"]
        for _, events in log.things("decision")
        if (events[0].data["rule"], events[0].data["step"]) == (UPDATES, "pattern")
    )
    for order_id, events in log.things("order"):
        for entry in of_type(events, "order.confirmed"):
            if begun[entry.event_id] != 1:
                account.object(f"order {order_id}: its updates began {begun[entry.event_id]} times")

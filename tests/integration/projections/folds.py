"""The read models as a few lines of plain Python compute them from the log."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec

from app.engagement.events import DecisionMade, Outcome
from app.kernel.event import RecordedEvent, kind_of
from app.modules.messages.events import MessageRequested
from projections.reaction_times import BOUNDS_MS

Rows = dict[Any, Any]


def fold_timeline(log: Iterable[RecordedEvent]) -> list[tuple[Any, ...]]:
    """Customer, when, position, kind of every entry, in order."""
    return sorted(
        (event.customer_id, event.occurred_at, event.position, kind_of(event.stream, event.type))
        for event in log
        if event.customer_id is not None
    )


def fold_activity_counts(log: Iterable[RecordedEvent]) -> Counter[tuple[date, str, str]]:
    """How many events there were by day, type and kind."""
    return Counter(
        (event.occurred_at.date(), event.type, kind_of(event.stream, event.type))
        for event in log
        if event.customer_id is not None
    )


def fold_audit(log: Iterable[RecordedEvent]) -> list[tuple[Any, ...]]:
    """Position, type, actor, when of every act, in order."""
    return [
        (event.position, event.type, actor, event.recorded_at)
        for event in log
        if event.stream.startswith("projection-")
        for actor in [msgspec.json.decode(event.metadata)["actor"]]
    ]


def fold_visits(log: Iterable[RecordedEvent]) -> list[tuple[Any, ...]]:
    """Customer, beginning, end, first and last position, count, first and last type, in order."""
    events = sorted(
        (event.customer_id, event.occurred_at, event.position, event.type)
        for event in log
        if event.customer_id is not None and event.stream.startswith("activity-")
    )
    visits: list[list[tuple[Any, ...]]] = []
    for _, theirs in groupby(events, key=lambda event: event[0]):
        before: datetime | None = None
        for event in theirs:
            if before is None or event[1] > before + timedelta(minutes=30):
                visits.append([])
            visits[-1].append(event)
            before = event[1]
    return [
        (a[0], a[1], b[1], a[2], b[2], len(visit), a[3], b[3])
        for visit in visits
        for a, b in [(visit[0], visit[-1])]
    ]


def fold_inbox(log: Iterable[RecordedEvent]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Position, text, when it was requested and when it was read, by customer and message."""
    inbox: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for event in log:
        message_id = event.stream.removeprefix("message-")
        if message_id == event.stream:
            continue
        key, when = (event.customer_id, message_id), event.occurred_at
        if event.type == "message.requested" and key not in inbox:
            text = msgspec.json.decode(event.data)["text"]
            inbox[key] = (event.position, text, when, None)
        elif event.type == "message.read" and key in inbox and inbox[key][-1] is None:
            inbox[key] = (*inbox[key][:-1], when)
    return inbox


def fold_customer_offers(
    log: Iterable[RecordedEvent],
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Position, offer, what became of it and when, by customer and offer."""
    offers: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for event in log:
        key = (event.customer_id, event.stream.removeprefix("offer-"))
        if event.type == "offer.issued":
            if key in offers:
                continue
            name = msgspec.json.decode(event.data)["offer"]
            offers[key] = (event.position, name, "issued", None)
        elif event.type.startswith("offer.") and key in offers and offers[key][-1] is None:
            status = event.type.removeprefix("offer.")
            offers[key] = (*offers[key][:2], status, event.occurred_at)
    return offers


def fold_offers(log: Iterable[RecordedEvent]) -> dict[tuple[str, str], int]:
    """The position of each open offer, by driver and ride."""
    offers: dict[tuple[str, str], int] = {}
    for event in log:
        if event.stream.startswith("ride-"):
            ride_id, data = event.stream.removeprefix("ride-"), msgspec.json.decode(event.data)
            closed = [data["driver_id"]] if event.type == "ride.offer_declined" else []
            for driver_id in (*closed, *data.get("closed_for", ())):
                offers.pop((driver_id, ride_id), None)
            for driver_id in data.get("driver_ids", ()):
                offers[driver_id, ride_id] = event.position
    return offers


def fold_cases(log: Iterable[RecordedEvent]) -> dict[str, tuple[Any, ...]]:
    """Customer, position, when it was opened, by the open case."""
    cases: dict[str, tuple[Any, ...]] = {}
    for event in log:
        case_id = event.stream.removeprefix("case-")
        if event.type == "case.opened":
            cases[case_id] = (event.customer_id, event.position, event.occurred_at)
        elif event.type == "case.resolved":
            cases.pop(case_id, None)
    return cases


def fold_decisions(log: Iterable[RecordedEvent]) -> list[tuple[Any, ...]]:
    """Customer, position, rule and outcome of every decision, in order."""
    return sorted(
        (event.customer_id, event.position, made.rule, made.outcome.value)
        for event, made in _decisions(log)
    )


def fold_engagement(log: list[RecordedEvent]) -> Counter[tuple[Any, ...]]:
    """Counts by rule, version, day, measure and detail."""
    counts: Counter[tuple[Any, ...]] = Counter()
    sent: dict[str, tuple[Any, ...]] = {}
    for event, made in _decisions(log):
        key = (made.rule, made.rule_version, event.recorded_at.date())
        reasons = [held.by for held in made.held]
        counts[*key, "outcome", made.outcome.value] += 1
        if made.outcome is Outcome.HELD_BACK:
            counts.update((*key, "held", reason) for reason in set(reasons))
        if made.step == "goal":
            counts[*key, "goal", made.held[0].detail] += 1
        has_begun = made.outcome in {Outcome.ACTED, Outcome.WAITING, Outcome.HELD_OUT}
        is_held = made.outcome is Outcome.HELD_BACK and reasons[0] not in {"running", "re_entry"}
        if made.step == "pattern" and (has_begun or is_held):
            counts[*key, "entered", ""] += 1
        for did in made.did:
            sent.setdefault(did.stream, key)
    stages = {
        (event.stream, stage)
        for event in log
        if event.stream in sent
        for stage in _stages(event)
        if event.position > _decided_at(log, event.stream)
    }
    counts.update((*sent[stream], "message", stage) for stream, stage in stages)
    return counts


def fold_reaction_times(log: list[RecordedEvent]) -> Counter[tuple[Any, ...]]:
    """Counts by day, rule, stage and bucket."""
    counts: Counter[tuple[Any, ...]] = Counter()
    waiting: dict[str, tuple[Any, ...]] = {}
    known: set[str] = set()
    for event in log:
        if event.type == "decision.made":
            made = msgspec.json.decode(event.data, type=DecisionMade)
            key = (event.recorded_at.date(), made.rule)
            counts[*key, "decided", _bucket(event.recorded_at - made.at)] += 1
            for did in made.did:
                if did.not_before is None and did.stream not in known:
                    waiting[did.stream] = (*key, made.at, event.recorded_at)
                    known.add(did.stream)
        elif event.stream in waiting and (_stages(event) & {"sent", "dead", "unknown"}):
            day, rule, begun_at, decided_at = waiting.pop(event.stream)
            if "sent" in _stages(event):
                counts[day, rule, "sent", _bucket(event.recorded_at - decided_at)] += 1
                counts[day, rule, "in_all", _bucket(event.recorded_at - begun_at)] += 1
    return counts


def _decisions(log: Iterable[RecordedEvent]) -> list[tuple[RecordedEvent, DecisionMade]]:
    return [
        (event, msgspec.json.decode(event.data, type=DecisionMade))
        for event in log
        if event.type == "decision.made"
    ]


def _decided_at(log: Iterable[RecordedEvent], stream: str) -> int:
    return next(
        event.position
        for event, made in _decisions(log)
        if any(did.stream == stream for did in made.did)
    )


def _stages(event: RecordedEvent) -> set[str]:
    """Of a message, what the event brings it to."""
    data = msgspec.json.decode(event.data)
    match event.type:
        case "message.requested":
            is_there = msgspec.convert(data, MessageRequested).is_in_inbox
            return {"sent", "delivered"} if is_there else set()
        case "message.sent":
            return {"sent", "delivered"} if data["channel"] == "inbox" else {"sent"}
        case "message.opened" | "message.read":
            return {"opened"}
        case "message.delivered" | "message.dead" | "message.unknown":
            return {event.type.removeprefix("message.")}
    return set()


def _bucket(duration: timedelta) -> int:
    return bisect_right(BOUNDS_MS, duration / timedelta(milliseconds=1))


class CustomersFold:
    """Profiles, traits, consents and identities, each keyed as its table is."""

    def __init__(self, log: Iterable[RecordedEvent]) -> None:
        self.profiles: dict[str, dict[str, Any]] = {}
        self.traits: dict[tuple[str, str], Any] = {}
        self.consents: dict[tuple[str, str, str], tuple[bool, datetime]] = {}
        self.identities: dict[tuple[str, str], tuple[str, datetime]] = {}
        for event in log:
            if event.customer_id is not None:
                self._apply(event, event.customer_id)

    def _apply(self, event: RecordedEvent, customer_id: str) -> None:
        profile = self.profiles.setdefault(
            customer_id,
            {"registered": None, "first": None, "last": None, "events": 0, "version": 0},
        )
        when = event.occurred_at
        if event.stream.startswith("activity-"):
            profile["events"] += 1
            profile["first"] = min(profile["first"] or when, when)
            profile["last"] = max(profile["last"] or when, when)
            return
        if not event.stream.startswith("customer-"):
            return
        profile["version"] = event.version
        data = msgspec.json.decode(event.data)
        match event.type:
            case "customer.registered":
                profile["registered"] = min(profile["registered"] or when, when)
                self._set_traits(customer_id, data["traits"])
            case "customer.traits_changed":
                self._set_traits(customer_id, data["traits"])
            case "customer.consent_recorded" | "customer.consent_withdrawn":
                key = (customer_id, data["channel"], data["topic"])
                self.consents[key] = (event.type == "customer.consent_recorded", when)
            case "customer.identity_linked":
                self.identities[customer_id, data["identity_id"]] = (data["kind"], when)
            case "customer.identity_unlinked":
                self.identities.pop((customer_id, data["identity_id"]), None)

    def _set_traits(self, customer_id: str, traits: dict[str, Any]) -> None:
        for name, value in traits.items():
            if value is None:
                self.traits.pop((customer_id, name), None)
            else:
                self.traits[customer_id, name] = value

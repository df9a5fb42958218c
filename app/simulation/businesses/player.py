"""The player: titles that are played over bad networks, and subscriptions."""

from random import Random
from typing import Any

from app.simulation import words
from app.simulation.crowd import Person
from app.simulation.scripts import Script, hours, minutes, post

BAD_NETWORKS_SHARE = 0.15
WAITS = 3
"""One after the other, so that somebody should say sorry."""

Report = tuple[str, dict[str, Any]]


def watching(chance: Random, person: Person, name: str) -> Script:
    """A title on a device. Reports come twice and out of order, some before it has begun."""
    _, title, length_s = chance.choice(words.EPISODES)
    playback = {
        "customer_id": person.customer_id,
        "title_id": title,
        "device_id": f"{chance.choice(words.DEVICES)}-{person.number}",
        "length_s": length_s,
    }
    reports = _reports(chance, length_s)
    if chance.random() < 0.1:
        early = "no-such-playback"
        yield from post(f"playbacks/{name}/{reports[0][0]}", early, **reports[0][1])
    for _ in range(chance.choice((1, 1, 1, 2))):
        yield from post(f"playbacks/{name}/start", **playback)
    for command, fields in _disordered(chance, reports):
        yield from post(f"playbacks/{name}/{command}", "playback-over", **fields)
        if chance.random() < 0.3:
            yield minutes(chance.randint(1, 10))


def _reports(chance: Random, length_s: int) -> list[Report]:
    """What the player says, in order."""
    said: list[tuple[str, dict[str, Any]]] = []
    progress_s = 0
    if chance.random() < BAD_NETWORKS_SHARE:
        said += [("report-buffering", {"progress_s": 0, "duration_ms": 4000})] * WAITS
    for _ in range(chance.randint(1, 4)):
        progress_s = chance.randrange(progress_s, length_s)
        event = chance.choice(("pause", "report-progress", "report-buffering", "interrupt"))
        more: dict[str, Any] = {"progress_s": progress_s}
        if event == "report-buffering":
            more["duration_ms"] = chance.randint(300, 9000)
        if event == "interrupt":
            more["reason"] = "network"
        said.append((event, more))
        if event in {"pause", "interrupt"}:
            said.append(("resume", {"progress_s": progress_s}))
    if chance.random() < 0.7:
        said.append(("finish", {"progress_s": length_s}))
    return [(event, {**more, "sequence": n}) for n, (event, more) in enumerate(said, 1)]


def _disordered(chance: Random, reports: list[Report]) -> list[Report]:
    """Some later than their successors, some twice."""
    by_arrival = sorted(
        enumerate(reports), key=lambda each: each[0] + 1.5 * (chance.random() < 0.2)
    )
    return [report for _, report in by_arrival for _ in range(chance.choice((1, 1, 1, 2)))]


def subscribing(chance: Random, person: Person, name: str) -> Script:
    """A subscription; some are cancelled, some are not paid."""
    subscription = {
        "customer_id": person.customer_id,
        "plan": chance.choice(("solo", "family")),
        "price": chance.choice((799, 1299)),
        "currency": "EUR",
        "time_zone": chance.choice(words.TIME_ZONES),
        "months": chance.choice((1, 1, 3)),
    }
    for _ in range(chance.choice((1, 1, 2))):
        yield from post(f"subscriptions/{name}/start", **subscription)
    fate = chance.random()
    if fate < 0.4:
        yield hours(chance.randint(1, 30))
        for _ in range(chance.choice((1, 2))):
            yield from post(f"subscriptions/{name}/{'cancel' if fate < 0.3 else 'lapse'}")

"""What the gateway costs: the same requests with keys, limits and sealed fields, and without."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import wrk
from benchmarks.bench import Bench
from benchmarks.processes import tidings_server, ungated_server
from benchmarks.report import Section, compared, not_measured
from benchmarks.rounds import Contender, side_by_side
from benchmarks.sample import Crowd

TITLE = f"The gateway, {wrk.CONNECTIONS} connections, two sensitive fields a request, 1 worker"
EVENT = "POST /v1/events"
COMMAND = "change-traits"
TARGET = 0.8
COMMANDED_CUSTOMERS = 1_000
COMMANDS_PER_CUSTOMER = 8
EVENTS = 8_000
KEYS_MADE_S = 4
"""In which every customer gets its data key: once in its life, and so not what is measured."""


async def measure(bench: Bench) -> Section:
    """Both servers are up all the time, each on a store of its own; one at a time is under load."""
    if not wrk.is_installed():
        return Section(TITLE, [not_measured(f"{EVENT}, {COMMAND}", wrk.HOW_TO_GET)])
    contenders: dict[str, Contender] = {}
    with ExitStack() as stack:
        gated = stack.enter_context(tidings_server(bench, bench.store("gated")))
        bare = stack.enter_context(ungated_server(bench, bench.store("ungated")))
        for server in (gated, bare):
            await server.ready()
        for kind, file in _requests(bench.directory).items():
            await wrk.rate(gated, file, KEYS_MADE_S)
            for name, server in ((kind, gated), (_without(kind), bare)):
                contenders[name] = partial(wrk.rate, server, file, bench.size.http_seconds)
        rates = await side_by_side(contenders, rounds=bench.size.http_rounds)
    return Section(
        TITLE,
        [compared(rates, kind, _without(kind), target=TARGET) for kind in (EVENT, COMMAND)],
    )


def _without(kind: str) -> str:
    return f"{kind} without keys, limits, sealing"


def _requests(directory: Path) -> dict[str, Path]:
    """Files of requests, each about somebody whom they name."""
    crowd = Crowd()
    events = []
    for number in range(EVENTS):
        event = crowd.sent_event()
        event["data"] |= _person(number)
        events.append(("/v1/events", event))
    commands = [
        (
            f"/v1/customers/customer-{number:04}/change-traits",
            {"traits": {**crowd.traits(), **_person(turn * COMMANDED_CUSTOMERS + number)}},
        )
        for turn in range(COMMANDS_PER_CUSTOMER)
        for number in range(COMMANDED_CUSTOMERS)
    ]
    return {
        EVENT: wrk.write_requests(directory / "gateway-events.txt", events),
        COMMAND: wrk.write_requests(directory / "gateway-commands.txt", commands),
    }


def _person(number: int) -> dict[str, Any]:
    """Fields that are sensitive by default, never twice the same."""
    return {"email": f"somebody-{number}@mail.example", "phone": f"+45 {number:08}"}

"""HTTP: events and commands one a request, against an echo, and against plain inserts."""

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from benchmarks import wrk
from benchmarks.bench import Bench
from benchmarks.plain_inserts import MAX_CONNECTIONS, plain_inserts
from benchmarks.processes import echo_server, tidings_server
from benchmarks.report import Section, compared, not_measured
from benchmarks.rounds import Contender, Rates, side_by_side
from benchmarks.sample import Crowd

TITLE = f"HTTP, {wrk.CONNECTIONS} connections, one event a request"
EVENT = "POST /v1/events"
COMMAND = "change-traits"
ECHO = "Litestar echo of it"
PLAIN = f"plain inserts, {MAX_CONNECTIONS} connections, no HTTP"
WORKERS = (1, 2)
COMMANDED_CUSTOMERS = 1_000
COMMANDS_PER_CUSTOMER = 8
EVENTS = 8_000


async def measure(bench: Bench) -> Section:
    """Every server is up all the time; one at a time is under load."""
    if not wrk.is_installed():
        return Section(TITLE, [not_measured(f"{EVENT}, {COMMAND}", wrk.HOW_TO_GET)])
    rates = await _rates(bench, _requests(bench.directory))
    events = {workers: _named(EVENT, workers) for workers in WORKERS}
    rows = [
        *(
            compared(rates, events[n], _named(f"{ECHO}: event", n), target=1.5 if n == 1 else None)
            for n in WORKERS
        ),
        *(compared(rates, events[n], PLAIN, target=0.7 if n == 2 else None) for n in WORKERS),
        *(
            compared(
                rates,
                _named(COMMAND, n),
                _named(f"{ECHO}: command", n),
                target=0.8 if n == 1 else None,
            )
            for n in WORKERS
        ),
    ]
    return Section(TITLE, rows)


async def _rates(bench: Bench, requests: dict[str, Path]) -> Rates:
    seconds = bench.size.http_seconds
    contenders: dict[str, Contender] = {}
    async with AsyncExitStack() as stack:
        for workers in WORKERS:
            # A store each: what one server writes would make the other's memory out of date.
            database = bench.store(f"http_{workers}")
            ours = stack.enter_context(tidings_server(bench, database, workers=workers))
            echo = stack.enter_context(echo_server(bench, workers=workers))
            await ours.ready()
            await echo.ready()
            for kind, file in requests.items():
                ours_name, echo_name = _named(kind, workers), _named(_echo_of(kind), workers)
                contenders[ours_name] = partial(wrk.rate, ours, file, seconds)
                contenders[echo_name] = partial(wrk.rate, echo, file, seconds)
        plain_table = bench.plain_table("http_plain", database)
        plain = await stack.enter_async_context(plain_inserts(plain_table))
        contenders[PLAIN] = partial(plain.rate, MAX_CONNECTIONS, seconds)
        return await side_by_side(contenders, rounds=bench.size.http_rounds)


def _requests(directory: Path) -> dict[str, Path]:
    """Files of requests; each command to a customer differs from the one before."""
    crowd = Crowd()
    events = [("/v1/events", crowd.sent_event()) for _ in range(EVENTS)]
    commands = [
        (f"/v1/customers/customer-{number:04}/change-traits", {"traits": crowd.traits()})
        for _ in range(COMMANDS_PER_CUSTOMER)
        for number in range(COMMANDED_CUSTOMERS)
    ]
    return {
        EVENT: wrk.write_requests(directory / "events.txt", events),
        COMMAND: wrk.write_requests(directory / "commands.txt", commands),
    }


def _echo_of(kind: str) -> str:
    return f"{ECHO}: {'event' if kind == EVENT else 'command'}"


def _named(kind: str, workers: int) -> str:
    return f"{kind}, {workers} worker{'s' if workers > 1 else ''}"

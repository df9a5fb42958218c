"""Commands to modules, one a request, beside plain events.

An interaction is appended as it comes: one round trip to the store, which requests that come at a
time share. A command is decided on its thing's stream. When the thing is not in the worker's
memory, as one that is new cannot be, its stream is read first: a second round trip, one after the
other, though it finds nothing. That is shared as well (`app.eventstore.reads`); what each request
pays by itself is to be parsed, sealed and decided, and the store's check of the version that was
decided on, under the log's lock. A thing that is remembered is spared the read.
"""

from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks import wrk
from benchmarks.bench import Bench
from benchmarks.processes import Server, tidings_server
from benchmarks.report import Section, compared, not_measured
from benchmarks.rounds import Contender, side_by_side
from benchmarks.sample import CUSTOMERS, Crowd

TITLE = f"Deciders over HTTP, {wrk.CONNECTIONS} connections, 1 worker"
EVENT = "POST /v1/events"
NEW = "messages/{id}/request, each a new one, its text sealed"
REMEMBERED = "customers/{id}/change-traits, in memory"
TARGET = 0.4
EVENTS = 8_000
COMMANDED_CUSTOMERS = 1_000
COMMANDS_PER_CUSTOMER = 8
MAX_MESSAGES_PER_SECOND = 20_000
"""More than a worker takes: a message that is requested again is nothing to do."""


async def measure(bench: Bench) -> Section:
    """One server on one store; each kind of request has its turn."""
    if not wrk.is_installed():
        return Section(TITLE, [not_measured(f"{NEW}, {REMEMBERED}", wrk.HOW_TO_GET)])
    seconds = bench.size.http_seconds
    with ExitStack() as stack:
        server = stack.enter_context(tidings_server(bench, bench.store("deciders")))
        await server.ready()
        events, changes = _requests(bench.directory)
        contenders: dict[str, Contender] = {
            EVENT: partial(wrk.rate, server, events, seconds),
            NEW: _messages(bench.directory, server, seconds),
            REMEMBERED: partial(wrk.rate, server, changes, seconds),
        }
        rates = await side_by_side(contenders, rounds=bench.size.http_rounds)
    return Section(
        TITLE,
        [
            compared(rates, NEW, EVENT, target=TARGET),
            compared(rates, REMEMBERED, EVENT),
        ],
    )


def _requests(directory: Path) -> tuple[Path, Path]:
    """Files of events, and of commands that each differ from the one before to the customer."""
    crowd = Crowd()
    events = [("/v1/events", crowd.sent_event()) for _ in range(EVENTS)]
    changes = [
        (f"/v1/customers/customer-{number:05}/change-traits", {"traits": crowd.traits()})
        for _ in range(COMMANDS_PER_CUSTOMER)
        for number in range(COMMANDED_CUSTOMERS)
    ]
    return (
        wrk.write_requests(directory / "deciders-events.txt", events),
        wrk.write_requests(directory / "deciders-commands.txt", changes),
    )


def _messages(directory: Path, server: Server, seconds: int) -> Contender:
    """New messages each time; in the first, which does not count, their customers get keys."""
    times = count()

    async def rate() -> float:
        time = next(times)
        requests = (
            (
                f"/v1/messages/{time}-{number}/request",
                {
                    "customer_id": f"customer-{number % CUSTOMERS:05}",
                    "kind": "order-confirmed",
                    "text": f"Your order {number} is on its way.",
                },
            )
            for number in range(seconds * MAX_MESSAGES_PER_SECOND)
        )
        file = wrk.write_requests(directory / "deciders-messages.txt", requests)
        return await wrk.rate(server, file, seconds)

    return rate

"""What is erased is nowhere, and what is sensitive is nowhere but in answers to who may see it.

Canaries come in by every way there is, and are looked for in every place there is: a dump, all
rows, every file of the data directory, the write-ahead log, the processes' logs, the API's answers.
That the search would find them is shown by others beside them, which are not sensitive.
"""

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from app.security.ciphers.data_keys import LOOKED_AFTER_S
from tests.faults.answers import all_answers
from tests.faults.canaries import Customer, Search, Store, a_canary, customers
from tests.faults.scale import rounds
from tests.faults.test_system_kills import child
from tests.fixtures.api import Api, api_of, until_async
from tests.fixtures.tidings_up import TidingsUp, tidings

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

SEED = 11
CUSTOMERS = rounds(few=25, full=1_000)
FEW = 5
AT_ONCE = 20
PAUSE_BEFORE_ERASURE_S = (0.0, 0.2)
PAUSE_BETWEEN_KILLS_S = 0.7
KNOWN_WITHIN_S = 10
TIMES = 20
PLACES = {"dump", "rows", "files", "wal", "logs"}
SCHEMA = {"properties": {"n": {"type": "number"}}}
BLIND = (
    *("events:read", "customers:read", "timeline:read", "audit:read"),
    *("catalogue:admin", "projections:admin", "keys:admin"),
    *("messages:read", "offers:read", "rules:read", "templates:read"),
)
WORDS = {
    "greeting": "{{ email }} {{ code }} {{ profile.traits.x.Name | default: '' }}",
    "broken": "{{ profile.traits[email] }}",
}
"""Of templates: one for each."""
GREET = {
    "trigger": {"event": "Signed", "where": "event.data.email != null"},
    "steps": [
        {"do": "offer", "offer": "ten-percent", "expires_in": "1h"},
        *(
            {
                "do": "send",
                "kind": name,
                "template": name,
                "parameters": {
                    "email": "trigger.data.email",
                    "code": "offer.code",
                    "nick": "trigger.data.nickname",
                },
                "id": name,
            }
            for name in WORDS
        ),
        {"do": "wait", "time": "1h"},
        {
            "do": "send",
            "kind": "again",
            "template": "greeting",
            "parameters": {"email": "trigger.data.email", "nickname": "trigger.data.nickname"},
        },
    ],
    "limits": {"consent": False},
}
"""Lets messages, offers and decisions follow from what is sealed, or will be, and keeps some."""


@pytest.fixture
def tidings_up(tmp_path: Path) -> Iterator[TidingsUp]:
    running = TidingsUp(tmp_path, "--workers", "2")
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
async def api(tidings_up: TidingsUp) -> AsyncIterator[Api]:
    async with api_of(tidings_up.url) as client:
        yield client


async def test_what_is_erased_is_nowhere_and_before_it_in_answers_alone(
    tidings_up: TidingsUp, api: Api
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    store, everybody = Store(tidings_up), customers(CUSTOMERS, chance)
    sealed = {canary for customer in everybody for canary in customer.sealed}
    nicknames = {customer.nickname for customer in everybody}

    await declare(api, schema=SCHEMA, type="Misfit")
    await rule(api)
    await for_each(everybody, lambda customer: tell(api, customer))
    await for_each(everybody, lambda customer: be_refused(api, customer))
    plain = await plant_controls(api, chance)
    assert store.execute("SELECT position FROM events WHERE pg_column_compression(data) > ''")
    await caught_up(api)
    told = store.execute("SELECT type FROM events WHERE type IN ('message.sent', 'message.dead')")
    assert len(told) >= 2 * CUSTOMERS
    assert store.execute("SELECT key FROM engagement_states WHERE state::text LIKE '%$tidings%'")
    search = Search(sealed | nicknames | plain)
    found = await asyncio.to_thread(store.found, search)
    check_nowhere(found, sealed)
    assert nicknames <= found["dump"] & found["rows"] & found["files"] & found["wal"]
    check_controls(found, plain)
    answers = await all_answers(api, everybody)
    assert search(answers) >= sealed | nicknames
    async with without_pii(api) as blind:
        assert not search(await all_answers(blind, everybody[:FEW])) & sealed

    for event_type in ("Signed", "Misfit"):
        await declare(api, sensitive=["nickname"], schema=SCHEMA, type=event_type)
    ending = asyncio.Event()
    beside = [
        asyncio.create_task(redact_and_rebuild(tidings_up, store)),
        asyncio.create_task(kill_projectors(tidings_up, ending)),
    ]
    await for_each(everybody, lambda customer: erase_while_it_writes(api, customer, chance))
    erased_at = monotonic()
    ending.set()
    await asyncio.gather(*beside)

    await caught_up(api)
    await asyncio.to_thread(store.forget_the_past)
    plain |= await plant_controls(api, chance)
    search = Search(sealed | nicknames | plain)
    found = await asyncio.to_thread(store.found, search)
    check_controls(found, plain)
    check_nowhere(found, sealed | nicknames)
    await asyncio.sleep(erased_at + LOOKED_AFTER_S - monotonic())
    assert not search(await all_answers(api, everybody)) & (sealed | nicknames)
    check_nothing_is_kept(store)


async def for_each(
    everybody: Iterable[Customer], action: Callable[[Customer], Awaitable[object]]
) -> None:
    """Of all, some at a time."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(customer: Customer) -> None:
        async with free:
            await action(customer)

    await asyncio.gather(*map(one, everybody))


async def declare(api: Api, *, type: str, **declaration: Any) -> None:  # noqa: A002 - as it is called
    """Until every worker goes by it."""
    path = f"/v1/event-types/{type}"
    declared = await api.send("PUT", path, declaration)
    assert declared.status == 200, declared

    async def is_known() -> bool:
        seen = await asyncio.gather(*(api.get(path) for _ in range(TIMES)))
        return {answer.headers.get("etag") for answer in seen} == {declared.headers["etag"]}

    await until_async(is_known, seconds=KNOWN_WITHIN_S)


async def rule(api: Api) -> None:
    """Let a rule answer what is told."""
    saying = {
        f"templates/{name}": {
            "languages": {"en": {"subject": "Hello", "text": words}},
            "default_language": "en",
        }
        for name, words in WORDS.items()
    }
    for path, body in {**saying, "rules/greet": GREET}.items():
        saved = await api.send("PUT", f"/v1/{path}", body)
        assert saved.status == 200, saved
    live = await api.post("/v1/rules/greet/go-live", {"version": 1})
    assert live.status == 200, live


def happenings(customer: Customer) -> list[dict[str, Any]]:
    """Events with all that is known of a customer; the last does not fit its type."""
    inner = {"firstName": customer.name, "phone": [customer.phone]}
    data = {"email": customer.email, "nickname": customer.nickname, "deep": [inner]}
    who = {"customer_id": customer.id}
    return [
        {"type": "Signed", **who, "data": data, "id": f"signed-{customer.id}"},
        {"type": "Seen", "anonymous_id": customer.visitor, "data": {"email": customer.email}},
        {"type": "Misfit", **who, "data": {**data, "n": "none"}, "id": f"misfit-{customer.id}"},
    ]


def commands(customer: Customer) -> list[tuple[str, Any]]:
    traits = {"email": customer.email, "plan": "pro", "x": {"Name": customer.name}}
    linked = {"email": customer.email, "phone": customer.phone, "anonymous": customer.visitor}
    return [
        ("register", {"traits": traits}),
        *(("link-identity", {"kind": kind, "value": linked[kind]}) for kind in linked),
        ("change-traits", {"traits": {"phone": customer.phone}}),
    ]


async def tell(api: Api, customer: Customer) -> None:
    outcomes = await api.record(*happenings(customer))
    assert [each["outcome"] for each in outcomes] == ["recorded", "recorded", "quarantined"]
    for command, body in commands(customer):
        answer = await api.post(f"/v1/customers/{customer.id}/{command}", body)
        assert answer.status == 200, answer


async def be_refused(api: Api, customer: Customer) -> None:
    """Bad requests and searches, which may be logged."""
    event, path = happenings(customer)[0], f"/v1/customers/{customer.id}"
    other = {"email": customer.email, "name": customer.name, "n": 1e300}
    traits = {"traits": {"name": customer.name, "$tidings": customer.email}}
    identity = {"kind": "email", "value": customer.email}
    refused = [
        await api.post("/v1/events", {**event, "data": other}),
        await api.post("/v1/events", {**event, "id": None, "occurred_at": customer.name}),
        await api.post("/v1/events", f'{{"data": {{"email": "{customer.email}"'.encode()),
        await api.post("/v1/events", f'{{"email": "{customer.email}", "n": 1e999}}'.encode()),
        await api.post(f"{path}/change-traits", traits),
        await api.post(f"{path}/change-traits", {"traits": {"name": "x"}}, If_Match='"77"'),
        await api.post(f"{path}/link-identity", {"kind": "email", "value": customer.name}),
        await api.post("/v1/customers/somebody/link-identity", identity),
        await api.get(f"/v1/customers?trait=email&starts_with={customer.email}"),
        await api.get(f"/v1/customers?identity=email:{customer.email}&x={customer.name}"),
        await api.get(f"/v1/customers?cursor={customer.name}"),
    ]
    assert all(400 <= answer.status < 500 for answer in refused), refused
    found = await api.read(f"/v1/customers?identity=phone:%2B{customer.phone[1:]}")
    assert [each["customer_id"] for each in found["items"]] == [customer.id]


async def plant_controls(api: Api, chance: random.Random) -> set[str]:
    """Of somebody who is not erased: found wherever anything is stored, compressed or logged."""
    small, large, logged = (a_canary(chance) for _ in range(3))
    filled = {"plan": large, "filling": "so it is compressed " * 500}
    for data in ({"plan": small}, filled):
        for event_type, more in (("Control", {}), ("Misfit", {"n": "none"})):
            event = {"type": event_type, "customer_id": "control", "data": {**data, **more}}
            assert (await api.post("/v1/events", event)).status in {201, 202}
    assert (await api.get(f"/v1/customers/{logged}?limit=1")).status == 400
    return {small, large, logged}


def check_nowhere(found: dict[str, set[str]], secrets: set[str]) -> None:
    leaks = {place: canaries & secrets for place, canaries in found.items() if canaries & secrets}
    assert leaks == {}


def check_controls(found: dict[str, set[str]], plain: set[str]) -> None:
    assert found.keys() == PLACES
    logged = found["logs"] & plain
    assert logged
    stored = plain - logged
    assert len(stored) == 2 * len(logged)
    latest = [found[place] & stored for place in ("dump", "rows", "files")]
    assert latest == [stored] * 3
    assert len(found["wal"] & stored) >= 2  # what is older may be gone


@asynccontextmanager
async def without_pii(api: Api) -> AsyncIterator[Api]:
    """A client that may read all but what is sensitive."""
    made = (await api.post("/v1/keys", {"name": "blind", "scopes": BLIND})).json()
    async with api_of(api.url, authorization=f"Bearer {made['key']}") as client:
        yield client


async def erase_while_it_writes(api: Api, customer: Customer, chance: random.Random) -> None:
    """Erase, twice at once, of whom senders tell more, and tell it again, until refused."""
    writing = [
        asyncio.create_task(write(api, customer)),
        asyncio.create_task(write(api, customer)),
    ]
    await asyncio.sleep(chance.uniform(*PAUSE_BEFORE_ERASURE_S))
    path = f"/v1/customers/{customer.id}/erase"
    first, second = await asyncio.gather(api.send("POST", path), api.send("POST", path))
    assert not [answer for answer in (first, second) if answer.status != 200]
    assert first.body == second.body
    await asyncio.gather(*writing)


async def write(api: Api, customer: Customer) -> None:
    """By every way, until each is closed; the last round is of an erased customer, all of it."""
    for number in count():
        more = [{**each, "id": f"{each.get('id')}-{number % 3}"} for each in happenings(customer)]
        outcomes = await api.record(*more)
        traits = {"name": f"{customer.name} {number}", "email": customer.email}
        answers = [
            await api.post(f"/v1/customers/{customer.id}/change-traits", {"traits": traits}),
            *[
                await api.post(f"/v1/customers/{customer.id}/{command}", body)
                for command, body in commands(customer)[1:]
            ],
        ]
        assert not [answer for answer in answers if answer.status not in {200, 410}]
        if {answer.status for answer in answers} == {410}:
            return
        assert {"recorded", "repeated", "quarantined", "rejected"} >= {
            each["outcome"] for each in outcomes
        }


async def kill_projectors(up: TidingsUp, ending: asyncio.Event) -> None:
    """Again and again; each comes back by itself."""
    while not ending.is_set():
        child("projector")(up)
        await asyncio.sleep(PAUSE_BETWEEN_KILLS_S)


async def redact_and_rebuild(up: TidingsUp, store: Store) -> None:
    """What was sent in plaintext is sealed, and the only read model that has it made again."""
    await run(up, store, "redact")
    await run(up, store, "rebuild", "timeline", "--accept-differences", "--drop-old")


async def run(up: TidingsUp, store: Store, *arguments: str) -> str:
    """Run a command beside everything else; what it says, which is searched too."""
    done = await asyncio.to_thread(
        subprocess.run,
        tidings(*arguments),
        env=up.environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    store.said += [done.stdout, done.stderr]
    assert done.returncode == 0, done.stderr
    return done.stdout


async def caught_up(api: Api) -> None:
    """Every read model, and the rules, have come to where the log ends; no message is under way."""

    async def is_there() -> bool:
        models = (await api.read("/v1/projections"))["items"]
        generations = [each for model in models for each in model["generations"]]
        rules = (await api.read("/v1/reactions"))["engagement"]
        under_way = [
            *(await api.read("/v1/messages?state=waiting"))["items"],
            *(await api.read("/v1/messages?state=sending"))["items"],
        ]
        places = [*generations, rules]
        return not under_way and all(place["lag_events"] == 0 for place in places)

    await until_async(is_there, seconds=60)


def check_nothing_is_kept(store: Store) -> None:
    """No key, no linked look-up and no misfit, but of whom the controls are of."""
    assert store.execute("SELECT customer_id FROM data_keys WHERE wrapped IS NOT NULL") == []
    linked = "EXISTS (SELECT FROM events WHERE stream = 'identity-' || identity_id)"
    assert store.execute(f"SELECT kind FROM identities WHERE {linked}") == []
    kept = store.execute("SELECT DISTINCT customer_id FROM quarantine")
    assert kept == [("control",)]
    assert store.execute("SELECT customer_id FROM deliveries") == []
    assert store.execute("SELECT key FROM engagement_states WHERE key <> 'totals'") == []

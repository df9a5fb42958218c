"""Redaction: plaintext of the past is sealed, and nothing else of the log can change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from app.catalogue import CATALOGUE, CODEC
from app.engagement.redacting import RuleCopies
from app.eventstore.database import Database
from app.eventstore.port import Append, StreamAppend
from app.eventstore.postgres import PostgresEventStore, opened_store
from app.eventstore.seeing import seen
from app.kernel.event import Metadata, RecordedEvent
from app.kernel.sensitive import SensitiveFields
from app.modules.interactions.quarantine import Misfit, StoredQuarantine
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.disclosure import Disclosure
from app.security.ciphers.master_key import MasterKeys
from app.security.ciphers.redaction import Redaction
from tests.controls.events import an_event
from tests.fixtures.access import ANYBODY

pytestmark = pytest.mark.anyio

OPERATOR = Metadata(actor="cli", request_id="r-1")
SEALED = {"$tidings": {"sealed": "AAAA", "digest": "d"}}
PAST: list[tuple[str, Any]] = [
    ("Signed", {"email": "canary@example.org", "n": 1, "price": 1.10}),
    ("Page Viewed", {"path": "/"}),
    ("Signed", {"deep": [{"Phone": "canary"}, {"x": None, "email": None}]}),
    ("customer.registered", {"traits": {"name": "canary", "plan": "pro"}}),
]


@asynccontextmanager
async def redacting(database: Database) -> AsyncIterator[tuple[PostgresEventStore, Redaction]]:
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as store:
        keys = DataKeys(store.pool, MasterKeys(lambda: [b"m" * 32]), "tidings")
        await keys.begin()
        fields = SensitiveFields()
        copies = RuleCopies(store, CODEC, fields)
        yield store, Redaction(store, keys, CATALOGUE, fields, copies)


async def record(store: PostgresEventStore, customer_id: str | None = "ann") -> None:
    for event_type, data in PAST:
        event = an_event(type=event_type, data=msgspec.json.encode(data), customer_id=customer_id)
        await store.append(Append((StreamAppend("activity-ann", (event,)),)))


def ignore(_position: int, _last: int) -> None:
    pass


def data_of(events: list[RecordedEvent]) -> list[Any]:
    return [msgspec.json.decode(event.data) for event in events]


async def test_plaintext_of_the_past_is_sealed_and_opens_as_it_was(database: Database) -> None:
    async with redacting(database) as (store, redaction):
        await record(store)
        before = await store.read_log(after=0, limit=100)
        assert await redaction.run(OPERATOR, ignore) == 3
        after = await store.read_log(after=0, limit=100)
        view = Disclosure(redaction._keys).to(ANYBODY)
        assert data_of(await seen(after[: len(PAST)], view)) == [data for _, data in PAST]
        assert b"canary" not in msgspec.json.encode(after)
        blank = msgspec.Raw(b"{}")
        assert [msgspec.structs.replace(event, data=blank) for event in after[: len(PAST)]] == [
            msgspec.structs.replace(event, data=blank) for event in before
        ]


async def test_the_log_tells_of_a_redaction_and_by_whom(database: Database) -> None:
    async with redacting(database) as (store, redaction):
        await record(store)
        await redaction.run(OPERATOR, ignore)
        begun, done = await store.read_log(after=len(PAST), limit=100)
        assert (begun.type, done.type) == ("tidings.redaction_begun", "tidings.redacted")
        assert begun.stream == done.stream
        assert "email" in msgspec.json.decode(begun.data)["fields"]
        assert msgspec.json.decode(done.data) == {"events": 3}
        assert msgspec.json.decode(done.metadata) == {"actor": "cli", "request_id": "r-1"}


async def test_a_redaction_again_finds_nothing_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.security.ciphers.redaction.EVENTS_A_STATEMENT", 2)
    async with redacting(database) as (store, redaction):
        await record(store)
        await record(store, customer_id=None)  # nobody's: there is no key to seal it with
        assert await redaction.run(OPERATOR, ignore) == 3
        assert await redaction.run(OPERATOR, ignore) == 0


async def test_what_is_quarantined_is_sealed_too(database: Database) -> None:
    async with redacting(database) as (store, redaction):
        quarantine = StoredQuarantine(store.pool)
        for event_type, data in PAST[:2]:
            event = an_event(type=event_type, data=msgspec.json.encode(data), customer_id="ann")
            await quarantine.keep([Misfit(Append((StreamAppend("activity-ann", (event,)),)), ())])
        assert await redaction.run(OPERATOR, ignore) == 1
        kept = await quarantine.page(None, after=0, limit=10)
        assert b"canary" not in msgspec.json.encode(kept)
        view = Disclosure(redaction._keys).to(ANYBODY)
        seen = await view([(event.customer_id, event.data) for event in kept])
        assert [msgspec.json.decode(data) for data in seen] == [data for _, data in PAST[:2]]
        assert await redaction.run(OPERATOR, ignore) == 0


async def test_what_is_left_of_the_erased_is_sealed_for_nobody_to_open(database: Database) -> None:
    async with redacting(database) as (store, redaction):
        await record(store)
        await redaction._keys.destroy("ann")
        assert await redaction.run(OPERATOR, ignore) == 3
        after = await store.read_log(after=0, limit=len(PAST))
        assert b"canary" not in msgspec.json.encode(after)
        view = Disclosure(redaction._keys).to(ANYBODY)
        first, *_ = data_of(await seen(after, view))
        assert first == {"email": None, "n": 1, "price": 1.10}
        assert await redaction.run(OPERATOR, ignore) == 0


@pytest.mark.parametrize(
    "data",
    [
        {"email": "other", "n": 1},
        {"email": SEALED, "n": 2},
        {"email": SEALED},
        {"email": SEALED, "n": 1, "more": SEALED},
        {"email": {"$tidings": {"sealed": "AAAA"}}, "n": 1},
        {"email": {"$tidings": {"sealed": 1, "digest": "d"}}, "n": 1},
        {"email": {"$tidings": {"sealed": "A", "digest": "d", "x": 1}}, "n": 1},
        {"email": {**SEALED, "x": 1}, "n": 1},
        {"email": None, "n": 1},
        [],
    ],
)
async def test_a_redaction_that_does_more_than_seal_is_refused(
    database: Database, data: Any
) -> None:
    await changed(database, {"email": "a@b.c", "n": 1}, {"email": SEALED, "n": 1})
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await changed(database, {"email": "a@b.c", "n": 1}, data)


async def test_what_is_sealed_or_null_is_not_sealed_in_its_place(database: Database) -> None:
    other = {"$tidings": {"sealed": "BBBB", "digest": "e"}}
    for before in (None, SEALED):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await changed(database, {"email": before}, {"email": other})


async def test_nothing_but_data_can_be_changed_and_nobody_keeps_the_privilege(
    database: Database,
) -> None:
    await changed(database, {"email": "a@b.c"}, {"email": SEALED})
    async with await database.connect() as connection:
        for statement in (
            b"UPDATE events SET data = data",
            b"SET store.redacting = 'on'; UPDATE events SET type = 'x', version = 9",
            b"SET store.redacting = 'on'; DELETE FROM events",
            b"SET store.redacting = 'on'; TRUNCATE events",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)


async def changed(database: Database, before: Any, after: Any) -> None:
    """Record an event, and redact it to other data."""
    event = an_event(data=msgspec.json.encode(before))
    async with opened_store(database, poll_interval=timedelta(seconds=5)) as store:
        appended = await store.append(Append((StreamAppend("activity-ann", (event,)),)))
    position = appended.events[0].position
    request = msgspec.json.encode([{"position": position, "data": after}]).decode()
    async with await database.connect() as connection:
        await connection.execute("SELECT redact_events(%s)", (request,))

"""Customers are found by id, identity or trait, page by page, and read as they are now."""

import random
from datetime import timedelta

import msgspec
import pytest

from app.kernel.errors import NotFound
from app.modules.customers.events import (
    ConsentRecorded,
    ConsentWithdrawn,
    CustomerRegistered,
    CustomerTraitsChanged,
    IdentityLinked,
    IdentityUnlinked,
)
from projections.customers import CUSTOMERS
from projections.customers.queries import Customers
from projections.customers.search import ByIdentity, ByIdPrefix, ByTrait, Search
from tests.integration.projections.stage import NOON, Stage, of_customer, sent
from tests.integration.projections.visitors import known_visitor

pytestmark = pytest.mark.anyio


@pytest.fixture
async def customers(stage: Stage) -> Customers:
    await stage.make_first()
    return Customers(stage.models)


async def project(stage: Stage) -> None:
    await stage.apply(CUSTOMERS.generation(1))


async def found(customers: Customers, search: Search, *, limit: int = 2) -> list[str]:
    """The ids on all pages."""
    ids: list[str] = []
    cursor = None
    while True:
        page = await customers.page(search, limit=limit, cursor=cursor)
        ids += [customer.customer_id for customer in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return ids
        assert len(page.items) == limit


async def test_a_customer_is_read_as_its_events_left_it(stage: Stage, customers: Customers) -> None:
    visitor = await known_visitor(stage, "v1")
    await stage.record(
        of_customer("ann", CustomerRegistered({"plan": "free", "seats": 1}), minutes=5),
        of_customer("ann", CustomerTraitsChanged({"plan": "pro", "seats": None}), minutes=6),
        of_customer("ann", ConsentRecorded("email", "news"), minutes=7),
        of_customer("ann", ConsentWithdrawn("push", "offers"), minutes=8),
        of_customer("ann", IdentityLinked(visitor, "anonymous"), minutes=9),
        sent("ann", minutes=3),
        sent("ann", minutes=1),
    )
    await project(stage)
    ann = await customers.one("ann")
    assert (ann.customer_id, ann.version, ann.events) == ("ann", 5, 2)
    assert ann.registered_at == NOON + timedelta(minutes=5)
    assert (ann.first_seen, ann.last_seen) == (
        NOON + timedelta(minutes=1),
        NOON + timedelta(minutes=3),
    )
    assert msgspec.json.decode(ann.traits) == {"plan": "pro"}
    assert [(c.channel, c.topic, c.granted, c.changed_at) for c in ann.consents] == [
        ("email", "news", True, NOON + timedelta(minutes=7)),
        ("push", "offers", False, NOON + timedelta(minutes=8)),
    ]
    assert [(i.identity_id, i.kind, i.linked_at) for i in ann.identities] == [
        (visitor, "anonymous", NOON + timedelta(minutes=9))
    ]


async def test_a_linked_visitor_counts_as_its_customer(stage: Stage, customers: Customers) -> None:
    visitor = await known_visitor(stage, "v1")
    email = await known_visitor(stage, "v2")
    await stage.record(
        sent("~v1", minutes=-50),
        sent("~v1", minutes=50),
        sent("~v2", minutes=-99),
        sent("ann", minutes=0),
        of_customer("ann", IdentityLinked(visitor, "anonymous")),
        of_customer("ben", IdentityLinked(visitor, "email")),
        of_customer("ben", IdentityLinked(email, "email")),
    )
    await project(stage)
    ann = await customers.one("ann")
    assert (ann.events, ann.first_seen, ann.last_seen) == (
        3,
        NOON - timedelta(minutes=50),
        NOON + timedelta(minutes=50),
    )
    await stage.record(of_customer("ann", IdentityUnlinked(visitor, "anonymous")))
    await project(stage)
    ann = await customers.one("ann")
    assert (ann.events, ann.first_seen, ann.last_seen) == (1, NOON, NOON)
    assert (await customers.one("~v1")).events == 2


async def test_who_was_never_heard_of_is_not_found(customers: Customers) -> None:
    with pytest.raises(NotFound, match="nobody"):
        await customers.one("nobody")


async def test_customers_are_listed_by_id_without_visitors_unless_these_are_asked_for(
    stage: Stage, customers: Customers
) -> None:
    ids = ["ann", "anna", "anton", "ben", "Ben", "zoë", "Ärger", "\U0010ffff", "an\u0301"]
    visitors = [f"~v{number}" for number in range(5)]
    everybody = [*ids, *visitors]
    random.shuffle(everybody)
    await stage.record(*(sent(each) for each in everybody))
    await project(stage)
    assert await found(customers, ByIdPrefix()) == sorted(ids)
    assert await found(customers, ByIdPrefix("an")) == sorted(
        each for each in ids if each.startswith("an")
    )
    assert await found(customers, ByIdPrefix("ann")) == ["ann", "anna"]
    assert await found(customers, ByIdPrefix("\U0010ffff")) == ["\U0010ffff"]
    assert await found(customers, ByIdPrefix("~")) == visitors
    assert await found(customers, ByIdPrefix("~v3")) == ["~v3"]
    assert await found(customers, ByIdPrefix("nobody")) == []


async def test_customers_are_found_by_the_beginning_of_a_trait(
    stage: Stage, customers: Customers
) -> None:
    long = "x" * 300
    values = {
        "a": "Straße 7",
        "b": "STRASSE",
        "c": "strand",
        "d": 42,
        "e": True,
        "f": ["Strand"],
        "g": "Österreich",
        "h": "österreich",
        "i": long,
        "j": "",
        "k": "strand",
        "l": {"at": "Strand"},
    }
    await stage.record(
        *(of_customer(who, CustomerRegistered({"at": value})) for who, value in values.items()),
        of_customer("other", CustomerRegistered({"to": "strand"})),
    )
    await project(stage)
    assert await found(customers, ByTrait("at", "stra")) == ["c", "k", "b", "a"]
    assert await found(customers, ByTrait("at", "StRaN")) == ["c", "k"]
    assert await found(customers, ByTrait("at", "Ö")) == ["g"]
    assert await found(customers, ByTrait("at", "4")) == ["d"]
    assert await found(customers, ByTrait("at", "true")) == ["e"]
    assert await found(customers, ByTrait("at", "x" * 100)) == ["i"]
    everybody = await found(customers, ByTrait("at", ""), limit=3)
    assert sorted(everybody) == ["a", "b", "c", "d", "e", "g", "h", "i", "j", "k"]
    assert await found(customers, ByTrait("nothing", "")) == []


async def test_a_customer_is_found_by_an_identity_as_long_as_it_is_linked(
    stage: Stage, customers: Customers
) -> None:
    known = await known_visitor(stage, "v1")
    await stage.record(of_customer("ann", IdentityLinked(known, "anonymous")), sent("ben"))
    await project(stage)
    assert await found(customers, ByIdentity(known)) == ["ann"]
    assert await found(customers, ByIdentity(None)) == []
    await stage.record(
        of_customer("ann", IdentityUnlinked(known, "anonymous")),
        of_customer("ben", IdentityLinked(known, "anonymous")),
    )
    await project(stage)
    assert await found(customers, ByIdentity(known)) == ["ben"]

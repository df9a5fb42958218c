"""The identities of a store keep the contract, and their values stand nowhere."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.eventstore.database import Database
from app.kernel.errors import Erased, StoreUnavailable
from app.modules.customers.identities import Identities
from tests.contracts.identity_index import *  # noqa: F403 - the suite
from tests.controls import customers as anna

pytestmark = pytest.mark.anyio

SECRET = b"the store's secret"


@pytest.fixture
async def identities(database: Database) -> AsyncIterator[Identities]:
    async with database.pool(max_size=4) as pool:
        yield Identities(pool, SECRET)


async def rows(database: Database) -> list[tuple[Any, ...]]:
    async with await database.connect() as connection:
        cursor = await connection.execute("SELECT * FROM identities ORDER BY kind")
        return await cursor.fetchall()


async def test_a_value_is_stored_as_a_digest_only(
    database: Database, identities: Identities
) -> None:
    await identities.find_or_create("email", anna.EMAIL)
    await identities.find_or_create("external", anna.EXTERNAL_ID)
    await identities.find_or_create("phone", anna.PHONE)
    stored = await rows(database)
    assert [(kind, len(digest), anonymous_id) for _, kind, digest, anonymous_id in stored] == [
        ("email", 32, None),
        ("external", 32, None),
        ("phone", 32, None),
    ]


async def test_an_anonymous_id_is_stored_as_its_events_have_it(
    database: Database, identities: Identities
) -> None:
    identity_id = await identities.find_or_create("anonymous", anna.ANONYMOUS_ID)
    ((stored_id, kind, _, anonymous_id),) = await rows(database)
    assert (stored_id, kind, anonymous_id) == (identity_id, "anonymous", f"~{anna.ANONYMOUS_ID}")


async def test_under_another_secret_no_identity_is_found(
    database: Database, identities: Identities
) -> None:
    await identities.find_or_create("email", anna.EMAIL)
    async with database.pool(max_size=1) as pool:
        assert await Identities(pool, b"another").find("email", anna.EMAIL) is None


async def test_an_identity_that_was_erased_comes_back_as_a_new_one(
    database: Database, identities: Identities
) -> None:
    erased = await identities.find_or_create("email", anna.EMAIL)
    async with await database.connect() as connection:
        await connection.execute("DELETE FROM identities")
    assert await identities.find("email", anna.EMAIL) is None
    assert await identities.find_or_create("email", anna.EMAIL) != erased


async def test_a_visitor_who_was_erased_has_no_identity_that_could_be_linked(
    database: Database, identities: Identities
) -> None:
    """Whether its identity was there before, as that of a visitor with a cart is, or not."""
    await identities.find_or_create("anonymous", anna.ANONYMOUS_ID)
    async with await database.connect() as connection:
        await connection.execute(
            "INSERT INTO tombstones (customer_id, erased_at)"
            " SELECT visitor, now() FROM unnest(%s::text[]) AS visitor",
            ([f"~{anna.ANONYMOUS_ID}", "~never-seen"],),
        )
    for anonymous_id in (anna.ANONYMOUS_ID, "never-seen"):
        with pytest.raises(Erased):
            await identities.find_or_create("anonymous", anonymous_id)


async def test_a_store_that_is_gone_is_said_to_be_unavailable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventstore.database.FETCH_FOR", timedelta(milliseconds=100))
    async with database.pool(max_size=1) as pool:
        identities = Identities(pool, SECRET)
    with pytest.raises(StoreUnavailable):
        await identities.find("email", anna.EMAIL)

"""What every index of identities promises; the tests that import this give it as `identities`."""

import asyncio

import pytest

from app.kernel.errors import InvalidInput
from app.modules.customers.identities import IdentityIndex
from tests.controls import customers as anna


async def test_an_identity_never_seen_is_not_found(identities: IdentityIndex) -> None:
    assert await identities.find("email", anna.EMAIL) is None


async def test_an_identity_once_created_is_found(identities: IdentityIndex) -> None:
    created = await identities.find_or_create("email", anna.EMAIL)
    assert await identities.find("email", anna.EMAIL) == created
    assert await identities.find_or_create("email", anna.EMAIL) == created


async def test_an_identity_is_found_however_its_value_is_written(
    identities: IdentityIndex,
) -> None:
    email = await identities.find_or_create("email", anna.EMAIL)
    phone = await identities.find_or_create("phone", anna.PHONE)
    assert await identities.find("email", anna.SAME_EMAIL) == email
    assert await identities.find_or_create("phone", anna.SAME_PHONE) == phone


async def test_different_values_are_different_identities(identities: IdentityIndex) -> None:
    one = await identities.find_or_create("email", anna.EMAIL)
    assert await identities.find_or_create("email", "boris@example.org") != one


async def test_one_value_of_two_kinds_is_two_identities(identities: IdentityIndex) -> None:
    visitor = await identities.find_or_create("anonymous", "4711")
    assert await identities.find("external", "4711") is None
    assert await identities.find_or_create("external", "4711") != visitor


async def test_all_who_create_one_identity_at_once_get_the_same(
    identities: IdentityIndex,
) -> None:
    created = await asyncio.gather(
        *(identities.find_or_create("email", anna.EMAIL) for _ in range(20))
    )
    assert len(set(created)) == 1


async def test_a_value_that_is_no_identity_is_refused(identities: IdentityIndex) -> None:
    with pytest.raises(InvalidInput):
        await identities.find("email", "anna")
    with pytest.raises(InvalidInput):
        await identities.find_or_create("phone", "555")

"""The identities in memory, which other tests stand on, keep the contract."""

import pytest

from app.modules.customers.identities import IdentityIndex
from tests.contracts.identity_index import *  # noqa: F403 - the suite
from tests.fixtures.identities import InMemoryIdentities

pytestmark = pytest.mark.anyio


@pytest.fixture
def identities() -> IdentityIndex:
    return InMemoryIdentities()

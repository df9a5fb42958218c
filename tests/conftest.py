"""Fixtures that every kind of test may use."""

from collections.abc import Iterator

import pytest

from tests.fixtures.clusters import forget_cluster

pytest.register_assert_rewrite("tests.contracts", "tests.specs")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the processes do."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_cluster_stays() -> Iterator[None]:
    """Workers of xdist end without a word to `atexit`."""
    yield
    forget_cluster()

"""Fixtures that every kind of test may use."""

from collections.abc import Iterator

import hypothesis
import pytest

from tests.fixtures.clusters import forget_cluster

# No test asserts how long anything takes: an example is as slow as the machine is busy.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

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

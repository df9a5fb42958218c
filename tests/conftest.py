"""Fixtures that every kind of test may use."""

import pytest

pytest.register_assert_rewrite("tests.contracts", "tests.specs")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the processes do."""
    return "asyncio"

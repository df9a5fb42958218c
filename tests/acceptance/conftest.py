"""One `tidings up` with two API workers, for all tests that leave it running."""

from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from tests.fixtures.api import Api, api_of
from tests.fixtures.tidings_up import TidingsUp

RECEIPTS_SECRET = "whsec_UmVjZWlwdHMgb2YgdGhlIHByb3ZpZGVycyBvZiBjaGFubmVscw=="


@pytest.fixture(scope="session")
def tidings_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TidingsUp]:
    """Shared: tests use customers of their own, and leave everybody else's alone."""
    channels = ("--console-channel", "--receipts-secret", RECEIPTS_SECRET)
    running = TidingsUp(tmp_path_factory.mktemp("acceptance"), "--workers", "2", *channels)
    try:
        yield running.start()
        assert running.stop() == 0, running.tail()
    finally:
        running.close()


@pytest.fixture
async def api(tidings_up: TidingsUp) -> AsyncIterator[Api]:
    """A client of it."""
    async with api_of(tidings_up.url) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, with a test that failed, what its `tidings up` has said."""
    report = yield
    running = getattr(item, "funcargs", {}).get("tidings_up")
    if report.failed and isinstance(running, TidingsUp):
        report.sections.append(("log of tidings up", running.tail()))
    return report

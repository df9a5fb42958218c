"""A handful of faults in every test run, the full counts by `make faults`."""

import os

from tests.integration.conftest import on_one_server

__all__ = ["FULL", "on_one_server", "rounds"]

FULL = os.environ.get("TIDINGS_TEST_FAULTS") == "full"


def rounds(few: int, full: int) -> int:
    """How often, here and now."""
    return full if FULL else few

"""A handful of faults in every test run, the full counts by `make faults`."""

import os

import pytest

FULL = os.environ.get("TIDINGS_TEST_FAULTS") == "full"

on_one_server = pytest.mark.parametrize(
    "server", [pytest.param(18, id="postgres18")], indirect=True
)


def rounds(few: int, full: int) -> int:
    """How often, here and now."""
    return full if FULL else few

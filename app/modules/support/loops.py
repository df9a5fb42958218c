"""When two machines seem to write to each other, each because the other did."""

from collections.abc import Sequence
from datetime import datetime, timedelta

LOOP_WINDOW = timedelta(hours=1)
MAX_IN_LOOP_WINDOW = 3
"""So much may be written to a customer automatically in the window; more is taken for a loop."""


def is_loop(written: Sequence[datetime], at: datetime) -> bool:
    """Whether what was written automatically, at the last of these times, is all there may be."""
    last = written[-MAX_IN_LOOP_WINDOW:]
    return len(last) == MAX_IN_LOOP_WINDOW and at - last[0] < LOOP_WINDOW

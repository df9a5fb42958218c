"""What the server refuses of what a command asks of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import rich_click as click

from app.kernel.errors import first_line


@contextmanager
def refusals_in_one_line(advice: str = "") -> Iterator[None]:
    """Say in one line what the server refuses of a statement of ours, and what to do about it."""
    try:
        yield
    except psycopg.Error as error:
        line = f"{first_line(error)} ({advice})" if advice else first_line(error)
        raise click.ClickException(line) from None

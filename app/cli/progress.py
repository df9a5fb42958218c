"""The progress bar of what is applied from the log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from app.bootstrap import ShowProgress
from app.cli import console


@contextmanager
def shown_progress(name: str) -> Iterator[ShowProgress]:
    """How far a read model has come, how fast it goes, and how long it will take.

    Shown for the time of the block; what it gives is told of each step.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task(name, total=None)
        yield lambda at: progress.update(
            task, description=f"{name}: {at.phase}", completed=at.position, total=at.head
        )

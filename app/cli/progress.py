"""The progress bar of what is applied from the log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from app.bootstrap.projections import ShowProgress
from app.cli import console


class RateColumn(ProgressColumn):
    """How many events a second are applied, of late; nothing until that is known."""

    def render(self, task: Task) -> Text:
        """Show it."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} events/s")


@contextmanager
def shown_progress(name: str) -> Iterator[ShowProgress]:
    """How far a read model has come, how fast it goes, and how long it will take.

    Shown for the time of the block; what it gives is told of each step.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task(name, total=None)
        yield lambda at: progress.update(
            task, description=f"{name}: {at.phase}", completed=at.position, total=at.head
        )

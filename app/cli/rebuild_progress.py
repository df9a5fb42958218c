"""How a rebuild or a verification gets on."""

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

from app.cli import console


class RateColumn(ProgressColumn):
    """How many events a second are applied, of late; nothing until that is known."""

    def render(self, task: Task) -> Text:
        """Show it."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} events/s")


def progress_bar() -> Progress:
    """How far the log has been applied, how fast it goes, and how long it will take."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=console,
    )

"""How an import gets on: a bar on a terminal, a line now and then elsewhere, a sum at the end."""

import time
from types import TracebackType

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.cli import console, errors
from app.modules.interactions.importing import Outcomes
from app.modules.interactions.input_file import InputFile
from app.modules.interactions.rows import BadRow

MAX_BAD_ROWS_SHOWN = 20
REDRAW_INTERVAL_S = 0.1
PLAIN_LINE_INTERVAL_S = 5.0


class ImportProgress:
    """Shows an import of a file. Use it as a context; leaving it sums up."""

    def __init__(self, file: InputFile) -> None:
        """Progress is measured in the file's bytes, where their number is known."""
        self._file = file
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
            console=errors,
            disable=not errors.is_terminal,
        )
        self._task = self._bar.add_task("Importing", total=file.size_bytes, rows="")
        self._outcomes = Outcomes()
        self._bad_rows_shown = 0
        self._started = self._shown_at = time.monotonic()

    def __enter__(self) -> "ImportProgress":
        """Begin."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Sum up, however it ended."""
        self._draw()
        self._bar.stop()
        done = self._outcomes
        seconds = time.monotonic() - self._started
        quarantined = f" {done.quarantined:,} quarantined," if done.quarantined else ""
        console.print(
            f"{done.rows:,} rows: {done.recorded:,} recorded, {done.repeated:,} recorded before,"
            f"{quarantined} {done.rejected:,} rejected, in {seconds:.1f} s ({self._rate()})",
            highlight=False,
            soft_wrap=True,
        )

    def show(self, outcomes: Outcomes) -> None:
        """Show what has become of the rows so far, unless that was shown just now."""
        self._outcomes = outcomes
        now = time.monotonic()
        if errors.is_terminal:
            if now - self._shown_at > REDRAW_INTERVAL_S:
                self._shown_at = now
                self._draw()
        elif now - self._shown_at > PLAIN_LINE_INTERVAL_S:
            self._shown_at = now
            self._say(f"{outcomes.rows:,} rows{self._share()} ({self._rate()})")

    def show_bad_row(self, row: BadRow) -> None:
        """Tell of a row that is not imported; of the first ones only, for all are counted."""
        self._bad_rows_shown += 1
        if self._bad_rows_shown <= MAX_BAD_ROWS_SHOWN:
            self._say(f"line {row.line}: {row.reason}")
        elif self._bad_rows_shown == MAX_BAD_ROWS_SHOWN + 1:
            self._say("further bad lines are counted, not shown")

    def _draw(self) -> None:
        rows = f"{self._outcomes.rows:,} rows, {self._rate()}"
        self._bar.update(self._task, completed=self._file.position_bytes, rows=rows)

    def _say(self, line: str) -> None:
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._started, 0.001)
        return f"{self._outcomes.rows / seconds:,.0f} rows/s"

    def _share(self) -> str:
        size = self._file.size_bytes
        return f", {self._file.position_bytes / size:.0%} of the file" if size else ""

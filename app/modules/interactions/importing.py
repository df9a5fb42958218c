"""Imports rows: group after group through the store's appender, the next made ready meanwhile."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from app.eventstore.appender import Appender
from app.eventstore.port import Append, Appended
from app.kernel.errors import IdempotencyConflict, InvalidInput, StoreUnavailable
from app.modules.interactions.input_file import BrokenInput, ReadingStopped
from app.modules.interactions.quarantine import Kept, Misfit, Quarantine
from app.modules.interactions.row_events import Columns, RowEvents
from app.modules.interactions.rows import BadRow, Batches, Row
from app.modules.interactions.seal import Seal, sealed_misfits, unsealed

MAX_GROUP_EVENTS = 250
"""A row costs the server more in a larger group, which outgrows the processor's nearer caches."""
MAX_GROUPS_AHEAD = 2
ROWS_A_TURN = 50
"""Rows made ready between two looks at the network, so that the group on its way gets on."""


class Outcomes(Struct):
    """What has become of the rows so far."""

    rows: int = 0
    recorded: int = 0
    repeated: int = 0
    quarantined: int = 0
    """Now or before: they do not fit the schemas of their types."""
    rejected: int = 0


class Import:
    """One import, from rows to the log. What is wrong with a row is told of by its line number."""

    def __init__(
        self,
        appender: Appender,
        quarantine: Quarantine,
        row_events: RowEvents,
        columns: Columns,
        *,
        on_bad_row: Callable[[BadRow], None],
        on_progress: Callable[[Outcomes], None],
        seal: Seal = unsealed,
    ) -> None:
        """`on_progress` is called some hundred times a second, and does little."""
        self.outcomes = Outcomes()
        self._appender = appender
        self._quarantine = quarantine
        self._row_events = row_events
        self._columns = columns
        self._on_bad_row = on_bad_row
        self._on_progress = on_progress
        self._seal = seal
        self._lines: list[int] = []
        self._group: list[Append] = []
        self._misfits: list[tuple[int, Misfit]] = []
        self._sent: deque[tuple[Sequence[int], Sequence[asyncio.Future[Appended]]]] = deque()

    async def run(self, batches: Batches) -> None:
        """Import all rows; each is recorded or told of when this returns.

        Rows that wait for others to come are recorded as soon as none come for a while. Raises
        `StoreUnavailable` when the store cannot be reached, and what reading the rows raises, after
        those that were read have been recorded.
        """
        try:
            async for batch in batches:
                rows_before = self.outcomes.rows
                for row in batch:
                    self._take(row)
                    if self.outcomes.rows % ROWS_A_TURN == 0:
                        await self._turn()
                if self.outcomes.rows == rows_before:
                    await self._finish()
        except (BrokenInput, ReadingStopped):
            await self._finish()
            raise
        await self._finish()

    async def _turn(self) -> None:
        if len(self._group) > MAX_GROUP_EVENTS - ROWS_A_TURN:
            await self._send()
        if len(self._misfits) > MAX_GROUP_EVENTS - ROWS_A_TURN:
            await self._set_aside()
        self._on_progress(self.outcomes)
        await asyncio.sleep(0)

    def _take(self, row: Row | BadRow) -> None:
        self.outcomes.rows += 1
        if isinstance(row, BadRow):
            self._reject(row)
            return
        try:
            append = self._row_events.append_of(row)
        except InvalidInput as error:
            self._reject(self._bad_row(row.line, error))
        except Misfit as misfit:
            self._misfits.append((row.line, misfit))
        else:
            self._lines.append(row.line)
            self._group.append(append)

    async def _send(self) -> None:
        while len(self._sent) >= MAX_GROUPS_AHEAD:
            await self._settle()
        lines, group = self._lines, self._group
        self._lines, self._group = [], []
        self._sent.append((lines, self._appender.submit(await self._seal(group))))

    async def _set_aside(self) -> None:
        lines, misfits = zip(*self._misfits, strict=True)
        self._misfits = []
        sealed = await sealed_misfits(misfits, self._seal)
        for line, answer in zip(lines, await self._quarantine.keep(sealed), strict=True):
            match answer:
                case Kept():
                    self.outcomes.quarantined += 1
                case Appended():
                    self.outcomes.repeated += 1
                case Exception():
                    self._reject(self._bad_row(line, answer))

    async def _finish(self) -> None:
        if self._group:
            await self._send()
        if self._misfits:
            await self._set_aside()
        while self._sent:
            await self._settle()
        self._on_progress(self.outcomes)

    async def _settle(self) -> None:
        """Wait for the oldest group that was sent, and count what became of its rows."""
        lines, answers = self._sent.popleft()
        for answer in reversed(answers):
            if not answer.done():  # the last is, as a rule, the last to be answered
                await asyncio.wait((answer,))
        for line, answer in zip(lines, answers, strict=True):
            error = answer.exception()
            if error is None:
                self.outcomes.repeated += answer.result().repeated
                self.outcomes.recorded += not answer.result().repeated
            elif isinstance(error, StoreUnavailable):
                self._abandon()
                raise error
            else:
                self._reject(self._bad_row(line, error))

    def _abandon(self) -> None:
        for _, answers in self._sent:
            for answer in answers:
                answer.cancel()
        self._sent.clear()

    def _bad_row(self, line: int, error: BaseException) -> BadRow:
        if isinstance(error, IdempotencyConflict):
            return BadRow(
                line,
                "another event was recorded under its id"
                if self._columns.id
                else "the row was recorded before, read by other options",
            )
        column = self._columns.column_of(error.field) if isinstance(error, InvalidInput) else None
        return BadRow(line, f"column {column!r}: {error}" if column else str(error))

    def _reject(self, row: BadRow) -> None:
        self.outcomes.rejected += 1
        self._on_bad_row(row)
